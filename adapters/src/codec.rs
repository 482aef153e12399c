//! Messages of the roles to and from the original's frames. What a field means is decided in
//! [`gatepass_core::wire`]; here it only finds its place.

use gatepass_core::{
    ids::{AccountId, Addr, LinkId, RoomId, RoomKey, ServerId, SessionKey},
    message::{Credentials, Reply, Request, RequestBody, ToCenter, ToRoom, ToServer},
    refusal::Refusal,
    text::{Endpoint, Password, bounded, nickname},
    wire::{
        WireError,
        frame::{self, Frame, INFLATE_MAX},
        http,
        proto::{
            ErrorCode, MsgLogin, ReqCheckRelogin, ReqRemoveRoom, ReqServerLogin, ReqUpdateServer,
            RetErrorMsgCmd, RetIntoFRoom, RetLoginMsg, RetServerLogin, S2SCmd, ServerType, WireMessage,
            cmd::room as cmd,
        },
        rcenter::{Down, Up},
        udp,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{clock::unix_time, key::SharedKey, metrics::Asked};

/// Most bytes that `MsgLogin` may inflate to: a name and a key.
const LOGIN_INFLATED_MAX: usize = 4_096;
/// Commands of gatepass' own on links between servers; the original has none this high.
pub(crate) const OWN: u16 = 60_000;
/// What a RoomServer of this kind says of itself, just before it registers.
const ABOUT: u16 = OWN + 1;
/// First byte of every message of gatepass' own.
pub(crate) const VERSION: u8 = 1;

/// Reads an HTTP request. Whatever is wrong with it is for the LoginServer to answer.
pub(crate) fn request(target: &str, cookie: Option<&str>, addr: Addr) -> Request {
    let signed = match http::parse_query(target) {
        Ok(signed) => signed,
        Err(error) => {
            let why = match error {
                WireError::BadRequest(http::RequestFault::UnknownRequest(_)) => Refusal::UnknownCommand,
                _ => Refusal::Malformed,
            };
            return Request { addr, signed: false, body: RequestBody::Bad(why) };
        }
    };
    let body = match &signed.request {
        http::Request::Login(login) => {
            credentials(login).map_or(RequestBody::Bad(Refusal::Malformed), RequestBody::Login)
        }
        http::Request::Room(room) => {
            let session = cookie.and_then(http::session_from_cookie).and_then(SessionKey::parse);
            RequestBody::Room { session, scene: room.scene }
        }
        http::Request::Gateway => RequestBody::Bad(Refusal::UnknownCommand),
    };
    Request { addr, signed: signed.is_signed(), body }
}

fn credentials(login: &http::LoginRequest) -> Option<Credentials> {
    if login.register && login.account.is_empty() && login.password.is_empty() {
        return Some(Credentials::Guest { device: bounded(&login.device_id)? });
    }
    let (name, password) = (bounded(&login.account)?, Password::new(&login.password)?);
    Some(match login.register {
        true => Credentials::Register { name, password },
        false => Credentials::Password { name, password },
    })
}

/// Writes an HTTP answer: the body, and the cookie's header value if there is one.
pub(crate) fn reply(asked: Asked, reply: &Reply) -> (Vec<u8>, Option<String>) {
    let written = match reply {
        Reply::LoggedIn { name, account, newbie, password, session } => {
            let password = password.as_ref().and_then(|password| std::str::from_utf8(password.expose()).ok());
            let message = RetLoginMsg {
                account: name.as_str().into(),
                id: account.0,
                is_newbie: *newbie,
                password: password.unwrap_or_default().into(),
                time_now: unix_time().as_secs().cast_signed(),
                isregist: u32::from(password.is_some()),
                ..RetLoginMsg::default()
            };
            let key = session.expose();
            let cookie = std::str::from_utf8(&key).ok().and_then(|key| http::set_cookie(key).ok());
            http::encode_login_ok(&message).map(|body| (body, cookie))
        }
        Reply::Room { account, endpoint, key, room, scene } => http::encode_room(&RetIntoFRoom {
            addr: endpoint.as_str().into(),
            key: key.text(),
            uid: account.0,
            room_id: room.0,
            scene_id: *scene,
            ..RetIntoFRoom::default()
        })
        .map(|body| (body, None)),
        Reply::Refused(why) => return (refused(asked, *why), None),
        // Nobody asks for it on this link.
        Reply::Session { .. } => return (refused(asked, Refusal::UnknownCommand), None),
    };
    // No answer of ours is too long or about account zero; a client could not read one that is.
    written.unwrap_or_else(|_| (refused(asked, Refusal::Unavailable), None))
}

fn refused(asked: Asked, why: Refusal) -> Vec<u8> {
    let code = ErrorCode(why.code());
    if asked == Asked::Room { http::encode_room_error(code) } else { http::encode_error(code) }
}

/// Reads a frame of a player.
pub(crate) fn to_room(frame: &Frame<'_>) -> ToRoom {
    match frame.cmd {
        cmd::LOGIN => {
            let login = frame.payload(LOGIN_INFLATED_MAX).and_then(|body| MsgLogin::decode_body(&body));
            match login {
                Ok(login) => ToRoom::Login { name: nickname(&login.name), key: RoomKey::parse(&login.key) },
                Err(_) => ToRoom::Malformed,
            }
        }
        cmd::HEARTBEAT => ToRoom::Heartbeat,
        cmd::CLOSE => ToRoom::Logout,
        command => ToRoom::Game(command),
    }
}

/// Reads a datagram of a player; nothing if it is none.
pub(crate) fn to_room_by_datagram(datagram: &[u8]) -> Option<ToRoom> {
    let bind = udp::decode_bind(datagram).ok()?;
    Some(ToRoom::Bind { account: AccountId(bind.id), key: RoomKey::parse(&bind.key) })
}

/// Writes the answer to a logout.
pub(crate) fn encode_logged_out(out: &mut Vec<u8>) {
    put(frame::encode_plain(cmd::CLOSE, &[], out));
}

/// Writes a refusal to a player.
pub(crate) fn encode_refused(why: Refusal, out: &mut Vec<u8>) {
    let mut body = Vec::with_capacity(8);
    RetErrorMsgCmd { ret_code: why.code(), ..RetErrorMsgCmd::default() }.encode_body(&mut body);
    put(frame::encode_client(cmd::ERROR, &body, out));
}

/// What the original's registration does not say of a RoomServer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    server: ServerId,
    room_capacity: u16,
    capacity: u32,
}

/// What RCenter hears from one RoomServer.
#[derive(Debug, Default)]
pub(crate) struct FromServer {
    about: Option<About>,
}

/// Capacities of a RoomServer of the original kind, which does not tell them.
const ORIGINAL: About = About { server: ServerId(0), room_capacity: 50, capacity: 0 };

impl FromServer {
    /// Reads a frame of a RoomServer; nothing if it means nothing here.
    pub(crate) fn read(&mut self, frame: &Frame<'_>, shared: &SharedKey) -> Option<ToCenter> {
        match frame.cmd {
            ABOUT => {
                self.about = decode_own(frame.body);
                None
            }
            OWN => match decode_own(frame.body)? {
                // Only the frame with the key registers.
                ToCenter::Register { .. } => None,
                msg => Some(msg),
            },
            _ => match Up::decode(frame).ok()? {
                Up::Login(login) => Some(self.register(&login, shared)?),
                Up::UpdateServer(load) => {
                    Some(ToCenter::Load { rooms: load.room_num, players: load.user_num })
                }
                Up::UpdateRoom(room) => Some(ToCenter::Room {
                    room: RoomId(room.room_id),
                    players: u16::try_from(room.user_num.max(0)).unwrap_or(u16::MAX),
                    joined: None,
                }),
                Up::RemoveRoom(room) => Some(ToCenter::RoomGone(RoomId(room.room_id))),
                Up::S2S(forward) => Some(ToCenter::Forward {
                    link: LinkId(u16::try_from(forward.server_id).ok()?),
                    flag: u8::try_from(forward.flag).ok()?,
                    data: forward.data.into_boxed_slice(),
                }),
                // A room is known by its players; the end of one player's game concerns nobody.
                Up::AddRoom(_) | Up::EndGame(_) => None,
            },
        }
    }

    fn register(&mut self, login: &ReqServerLogin, shared: &SharedKey) -> Option<ToCenter> {
        let about = self.about.take();
        let About { room_capacity, capacity, .. } = about.unwrap_or(ORIGINAL);
        Some(ToCenter::Register {
            trusted: shared.fits(&login.key) && login.ser_type == ServerType::ROOM.0,
            server: about.map(|about| about.server),
            endpoint: bounded(&login.address)?,
            room_capacity,
            capacity,
        })
    }
}

/// Writes what a RoomServer says to RCenter.
pub(crate) fn encode_to_center(msg: &ToCenter, shared: &SharedKey, out: &mut Vec<u8>) {
    match msg {
        ToCenter::Register { server, endpoint, room_capacity, capacity, .. } => {
            if let Some(server) = *server {
                let about = About { server, room_capacity: *room_capacity, capacity: *capacity };
                encode_own(ABOUT, &about, out);
            }
            let login = ReqServerLogin {
                address: endpoint.as_str().into(),
                key: shared.expose().into(),
                ser_type: ServerType::ROOM.0,
                ..ReqServerLogin::default()
            };
            put(Up::Login(login).encode(out));
        }
        ToCenter::Load { rooms, players } => {
            let load = ReqUpdateServer { room_num: *rooms, user_num: *players, ..ReqUpdateServer::default() };
            put(Up::UpdateServer(load).encode(out));
        }
        ToCenter::RoomGone(room) => {
            put(Up::RemoveRoom(ReqRemoveRoom { room_type: 2, room_id: room.0 }).encode(out));
        }
        ToCenter::Forward { link, flag, data } => {
            let forward =
                S2SCmd { server_id: link.0.into(), flag: (*flag).into(), data: data.clone().into_vec() };
            put(Up::S2S(forward).encode(out));
        }
        ToCenter::Room { .. }
        | ToCenter::Kick(_)
        | ToCenter::Kicked { .. }
        | ToCenter::Kept { .. }
        | ToCenter::Draining
        | ToCenter::Fenced => encode_own(OWN, msg, out),
    }
}

/// Reads what RCenter says to a RoomServer; nothing if it means nothing here.
pub(crate) fn to_server(frame: &Frame<'_>) -> Option<ToServer> {
    if frame.cmd == OWN {
        return decode_own(frame.body);
    }
    match Down::decode(frame).ok()? {
        Down::Login(accepted) => Some(ToServer::Registered(LinkId(u16::try_from(accepted.id).ok()?))),
        Down::CheckRelogin(check) => {
            Some(ToServer::CheckRelogin { key: RoomKey::parse(&check.key), account: AccountId(check.id) })
        }
        Down::LoadConfig => Some(ToServer::LoadConfig),
        Down::Unknown(_) => None,
    }
}

/// Writes what RCenter says to a RoomServer.
pub(crate) fn encode_to_server(msg: &ToServer, out: &mut Vec<u8>) {
    match msg {
        ToServer::Registered(link) => put(Down::Login(RetServerLogin { id: link.0.into() }).encode(out)),
        ToServer::CheckRelogin { key, account } => {
            let key = key.map(|key| key.text());
            let check = ReqCheckRelogin { key: key.unwrap_or_default(), id: account.0 };
            put(Down::CheckRelogin(check).encode(out));
        }
        ToServer::LoadConfig => put(Down::LoadConfig.encode(out)),
        ToServer::Forwarded { flag, data } => {
            let forward = S2SCmd { server_id: 0, flag: (*flag).into(), data: data.clone().into_vec() };
            put(forward.encode_forwarded(out));
        }
        ToServer::Kick(_) | ToServer::Kicked(_) | ToServer::Kept { .. } => encode_own(OWN, msg, out),
    }
}

/// Writes a message of gatepass' own: a version byte and the message.
pub(crate) fn encode_own<M: Serialize>(command: u16, msg: &M, out: &mut Vec<u8>) {
    // Every type that comes here serialises, and is smaller than a frame.
    if let Ok(body) = postcard::to_extend(msg, vec![VERSION]) {
        put(frame::encode_plain(command, &body, out));
    }
}

/// Reads a message of gatepass' own; nothing if it is of another version or damaged.
pub(crate) fn decode_own<M: DeserializeOwned>(body: &[u8]) -> Option<M> {
    match body.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).ok(),
        _ => None,
    }
}

/// Most bytes a server's message may inflate to.
const _: () = assert!(LOGIN_INFLATED_MAX < INFLATE_MAX, "strangers get less than servers");

/// A frame that was written, or was too long and left nothing behind: its receiver would have refused it.
fn put(written: Result<(), WireError>) {
    debug_assert!(written.is_ok(), "what servers say fits a frame: {written:?}");
}

/// The address of a RoomServer for its clients.
pub(crate) fn endpoint(text: &str) -> Option<Endpoint> {
    bounded(text)
}
