//! The room token as it lies in the cache: a hash of 31 texts under the token itself.
//!
//! The LoginServer writes it, the RoomServer reads and deletes it. Numbers are decimal, booleans `1` and `0`.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use super::WireError;

/// The text form of a field's type.
trait FieldText: Sized {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl FieldText for String {
    fn write(&self) -> String {
        self.clone()
    }

    fn read(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl FieldText for bool {
    fn write(&self) -> String {
        if *self { "1" } else { "0" }.into()
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "1" => Some(true),
            "0" => Some(false),
            _ => None,
        }
    }
}

macro_rules! number_text {
    ($($number:ty),*) => {$(
        impl FieldText for $number {
            fn write(&self) -> String {
                self.to_string()
            }

            fn read(text: &str) -> Option<Self> {
                // `parse` would also take a leading `+`, which the original's parser does not.
                if text.starts_with('+') { None } else { text.parse().ok() }
            }
        }
    )*};
}

number_text!(u8, u32, u64);

/// Declares the hash once: the struct, its names in the cache, and both directions.
macro_rules! token_hash {
    ($($(#[$doc:meta])* $name:literal => $field:ident: $kind:ty,)*) => {
        /// What a RoomServer learns from a redeemed token (`UserData` of the original).
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct UserData {
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl UserData {
            /// Names of the fields in the cache.
            pub const FIELDS: [&'static str; 31] = [$($name),*];

            /// All fields as texts, sorted by name: what the LoginServer stores.
            #[must_use]
            pub fn encode(&self) -> BTreeMap<&'static str, String> {
                BTreeMap::from([$(($name, self.$field.write())),*])
            }

            /// Reads stored fields, in any order. Absent fields are zero or empty, unknown ones are ignored, and of
            /// several with one name the last counts, all as in the original.
            ///
            /// # Errors
            /// [`WireError::BadTokenField`] if a text is not of its field's type. The original then refuses the
            /// login with code 17 and leaves the token where it is.
            pub fn decode<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, WireError> {
                let mut data = Self::default();
                for (name, text) in fields {
                    match name {
                        $($name => {
                            data.$field =
                                FieldText::read(text).ok_or(WireError::BadTokenField { field: $name })?;
                        })*
                        _ => {}
                    }
                }
                Ok(data)
            }
        }
    };
}

token_hash! {
    /// Player id.
    "Id" => id: u64,
    /// Account name.
    "Account" => account: String,
    /// Icon.
    "Icon" => icon: u32,
    /// Approved picture.
    "PassIcon" => pass_icon: String,
    /// Sex.
    "Sex" => sex: u8,
    /// Money.
    "Money" => money: u32,
    /// A currency.
    "JiangGuo" => jiang_guo: u32,
    /// Region.
    "Location" => location: u32,
    /// Whether the region is shown.
    "ShowPos" => show_pos: u8,
    /// Room to join or make.
    "RoomId" => room_id: u32,
    /// RoomServer the token was made for, `host:port`.
    "RoomAddr" => room_addr: String,
    /// Room model: 1 join, 2 watch, 4 team, 5 quick.
    "Model" => model: u32,
    /// A state text; the login path does not look at it.
    "State" => state: String,
    /// As [`UserData::state`].
    "CState" => c_state: String,
    /// As [`UserData::state`].
    "TCState" => tc_state: String,
    /// Rank.
    "Level" => level: u32,
    /// Games played.
    "PlayNum" => play_num: u32,
    /// Game time of the day.
    "GameDayTime" => game_day_time: u32,
    /// First login of the account.
    "IsNewbie" => is_newbie: bool,
    /// Robots; 0 for a player.
    "Robot" => robot: u32,
    /// Team.
    "TeamId" => team_id: u32,
    /// Name of the team, by number.
    "TeamName" => team_name: u32,
    /// Whether the player leads the team.
    "IsLeader" => is_leader: bool,
    /// Whether the room is a custom one.
    "IsCustom" => is_custom: bool,
    /// Name of a custom room.
    "RoomName" => room_name: String,
    /// Player to watch.
    "WatchedId" => watched_id: u64,
    /// Mode.
    "UnCoop" => un_coop: u32,
    /// Scores.
    "Scores" => scores: u32,
    /// Device the account was registered on.
    "RegDev" => reg_dev: String,
    /// Map; the original's RoomServer does not survive one it does not know.
    "SceneId" => scene_id: u32,
    /// Hidden score.
    "HideScores" => hide_scores: u32,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_31_fields_are_written_in_order_of_their_names() {
        let stored = UserData { id: 1001, is_newbie: true, ..UserData::default() }.encode();
        assert_eq!(stored.len(), UserData::FIELDS.len());
        assert_eq!((&stored["Id"][..], &stored["IsNewbie"][..], &stored["IsLeader"][..]), ("1001", "1", "0"));
        assert_eq!((&stored["Money"][..], &stored["RoomName"][..]), ("0", ""));
        assert!(UserData::FIELDS.iter().all(|name| stored.contains_key(name)));
    }

    #[test]
    fn absent_fields_are_zero_and_unknown_ones_ignored() {
        let read = UserData::decode([("Id", "7"), ("Colour", "red"), ("Id", "8")]);
        assert_eq!(read, Ok(UserData { id: 8, ..UserData::default() }));
    }

    #[test]
    fn a_text_of_the_wrong_type_is_refused() {
        for (field, text) in [
            ("Id", "x"),
            ("Id", ""),
            ("Id", "+1"),
            ("Id", "-1"),
            ("Id", "18446744073709551616"),
            ("Sex", "256"),
            ("RoomId", "4294967296"),
            ("IsNewbie", "yes"),
        ] {
            assert_eq!(UserData::decode([(field, text)]), Err(WireError::BadTokenField { field }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id: u64, account: String, sex: u8, room_id: u32, is_newbie: bool) {
            let data = UserData { id, account, sex, room_id, is_newbie, ..UserData::default() };
            let stored = data.encode();
            let read = UserData::decode(stored.iter().map(|(name, text)| (*name, &text[..])));
            prop_assert_eq!(read, Ok(data));
        }

        #[test]
        fn any_fields_are_read_without_panic(
            fields in proptest::collection::vec((0usize..31, "[0-9]{0,22}|.{0,6}"), 0..40),
        ) {
            let _ = UserData::decode(fields.iter().map(|(i, text)| (UserData::FIELDS[*i], &text[..])));
        }
    }
}
