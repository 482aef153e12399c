//! Messages from the field names and values a vector gives.

use gatepass_core::wire::proto::*;
use serde_json::Value;

/// Whether a body reads as a certain message.
type Reads = dyn Fn(&[u8]) -> Result<(), String>;

/// A message built from a vector's fields, in the forms the original may have written it.
pub(super) struct Expected {
    /// As the Go servers write it: every scalar field.
    pub(super) full: Vec<u8>,
    /// As the Python client writes it: only fields that were set.
    pub(super) minimal: Vec<u8>,
    reads: Box<Reads>,
}

impl Expected {
    fn of<M: WireMessage + FromJson + 'static>(fields: &Value) -> Result<Self, String> {
        let message = M::from_json(fields)?;
        let (mut full, mut minimal) = (Vec::new(), Vec::new());
        message.encode_body(&mut full);
        message.encode_minimal(&mut minimal);
        let reads = Box::new(move |body: &[u8]| match M::decode_body(body) {
            Ok(read) if read == message => Ok(()),
            Ok(_) => Err(format!("{} reads as another message", M::SHAPE.name)),
            Err(e) => Err(e.to_string()),
        });
        Ok(Self { full, minimal, reads })
    }

    /// Checks that `body` reads as this message.
    pub(super) fn reads_from(&self, body: &[u8]) -> Result<(), String> {
        (self.reads)(body)
    }
}

fn rewritten_as<M: WireMessage>(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    M::decode_body(body).map_err(|e| e.to_string())?.encode_body(&mut out);
    Ok(out)
}

trait FromJson: Sized {
    fn from_json(value: &Value) -> Result<Self, String>;
}

/// Names each message's fields as the original's `.proto` files do; an absent field is zero or empty.
macro_rules! messages {
    ($($message:ident { $($name:literal => $field:ident),* $(,)? })*) => {
        $(impl FromJson for $message {
            // A message without fields has nothing to assign.
            #[allow(unused_mut, unused_variables)]
            fn from_json(value: &Value) -> Result<Self, String> {
                let fields = value.as_object().ok_or_else(|| format!("no fields of {}", stringify!($message)))?;
                let mut message = Self::default();
                for (name, value) in fields {
                    match &name[..] {
                        $($name => {
                            message.$field = FromJson::from_json(value).map_err(|e| format!("{name}: {e}"))?;
                        })*
                        _ => return Err(format!("{} has no field {name}", stringify!($message))),
                    }
                }
                Ok(message)
            }
        })*

        /// Builds the message of that name from its fields.
        pub(super) fn expected(message: &str, fields: &Value) -> Result<Expected, String> {
            match message {
                $(stringify!($message) => Expected::of::<$message>(fields),)*
                _ => Err(format!("unknown message {message}")),
            }
        }

        /// Reads a body as the message of that name and writes it again.
        pub(super) fn rewritten(message: &str, body: &[u8]) -> Result<Vec<u8>, String> {
            match message {
                $(stringify!($message) => rewritten_as::<$message>(body),)*
                _ => Err(format!("unknown message {message}")),
            }
        }
    };
}

messages! {
    RetLoginMsg {
        "Account" => account, "Id" => id, "IsNewbie" => is_newbie, "Password" => password, "Location" => location,
        "TimeNow" => time_now, "sex" => sex, "age" => age, "tel" => tel, "icon" => icon, "nick" => nick,
        "channl" => channl, "isregist" => isregist, "PassIcon" => pass_icon, "MaxLevel" => max_level,
        "idcard" => idcard, "RegTime" => reg_time,
    }
    RetIntoFRoom {
        "Err" => err, "Addr" => addr, "Key" => key, "UId" => uid, "Tips" => tips, "RoomId" => room_id,
        "Priv" => privilege, "Model" => model, "SceneId" => scene_id, "ticketnum" => ticketnum,
    }
    RetErrorMsg { "RetCode" => ret_code, "Params" => params, "JsonParam" => json_param }
    RetGateAddr { "Address" => address, "Key" => key }
    MsgLogin { "name" => name, "key" => key }
    RetErrorMsgCmd { "RetCode" => ret_code, "Params" => params, "JsonParam" => json_param }
    MsgLoginResult {
        "ok" => ok, "id" => id, "name" => name, "others" => others, "frame" => frame, "Local" => local,
        "RoomName" => room_name, "ballId" => ball_id, "balls" => balls, "playerballs" => playerballs,
        "TeamName" => team_name, "TeamId" => team_id, "TeamNoticeCD" => team_notice_cd, "leftTime" => left_time,
    }
    MsgBindTCPSession { "id" => id, "key" => key }
    ClientHeartBeat {}
    RetVoiceInfo { "Address" => address, "RoomId" => room_id }
    MsgTop { "players" => players, "EndTime" => end_time, "Rank" => rank, "KillNum" => kill_num }
    MsgAddPlayer { "player" => player }
    MsgRemovePlayer { "id" => id }
    MsgPlayer {
        "id" => id, "name" => name, "local" => local, "IsLive" => is_live, "SnapInfo" => snap_info,
        "ballId" => ball_id, "curexp" => curexp, "curmp" => curmp, "animalid" => animalid, "curhp" => curhp,
        "TeamName" => team_name, "bombNum" => bomb_num, "hammerNum" => hammer_num,
    }
    MsgPlayerSnap { "Snapx" => snapx, "Snapy" => snapy, "Angle" => angle, "Id" => id }
    MsgBall { "id" => id, "type" => kind, "x" => x, "y" => y }
    MsgPlayerBall {
        "id" => id, "level" => level, "hp" => hp, "mp" => mp, "x" => x, "y" => y, "angle" => angle, "face" => face,
    }
    MsgSceneUDP { "moves" => moves, "frame" => frame }
    BallMove { "id" => id, "x" => x, "y" => y }
    MsgSceneChat { "Msg" => msg, "Id" => id }
    ReqServerLogin { "Address" => address, "Key" => key, "SerType" => ser_type, "WAddress" => waddress }
    RetServerLogin { "Id" => id }
    ReqUpdateServer {
        "RoomNum" => room_num, "UserNum" => user_num, "WatchedId" => watched_id, "WatcherNum" => watcher_num,
        "RoomId" => room_id,
    }
    ReqAddRoom {
        "RoomType" => room_type, "RoomId" => room_id, "EndTime" => end_time, "IsCoop" => is_coop,
        "HScores" => hscores, "UnCoop" => un_coop, "Robot" => robot, "isNew" => is_new, "SceneId" => scene_id,
        "Level" => level,
    }
    ReqUpdateRoom {
        "RoomType" => room_type, "RoomId" => room_id, "UserNum" => user_num, "UState" => ustate,
        "IsCoop" => is_coop, "HScores" => hscores, "Robot" => robot,
    }
    ReqRemoveRoom { "RoomType" => room_type, "RoomId" => room_id }
    ReqEndGame { "RoomId" => room_id, "UserId" => user_id }
    ReqCheckRelogin { "Key" => key, "Id" => id }
    S2SCmd { "ServerId" => server_id, "Flag" => flag, "Data" => data }
    ReqLoadConfig {}
}

impl FromJson for String {
    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_str().map(Self::from).ok_or_else(|| "not text".to_owned())
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "not a truth value".to_owned())
    }
}

impl FromJson for f32 {
    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_f64().map(|wide| wide as Self).ok_or_else(|| "not a number".to_owned())
    }
}

macro_rules! integers {
    ($($integer:ty: $wide:ident),*) => {$(
        impl FromJson for $integer {
            fn from_json(value: &Value) -> Result<Self, String> {
                value.$wide().and_then(|wide| wide.try_into().ok()).ok_or_else(|| "not a number in range".to_owned())
            }
        }
    )*};
}

integers!(u8: as_u64, u32: as_u64, u64: as_u64, i32: as_i64, i64: as_i64);

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_array().ok_or("not a list")?.iter().map(T::from_json).collect()
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Result<Self, String> {
        T::from_json(value).map(Some)
    }
}
