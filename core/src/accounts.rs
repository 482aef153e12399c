//! The account store as a role: who has which password, who is banned.
//!
//! What a database does behind the same questions must be indistinguishable from it; a conformance test
//! drives both. Here passwords are compared as they are, in constant time: this role runs in simulated worlds
//! and tests, never in production.

use alloc::collections::BTreeMap;
use core::fmt;

use crate::{
    ids::AccountId,
    ledger::Fact,
    message::{AccountsAnswer, AccountsAsk, Answer, Ask, Credentials, Question},
    refusal::Refusal,
    role::{Cx, Effects, Event, Role, Step, Why},
    text::{Device, Identity, Name, Password},
};

/// All accounts of a small world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accounts {
    accounts: BTreeMap<AccountId, Account>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Account {
    name: Name,
    device: Option<Device>,
    identity: Option<Identity>,
    password: Password,
    banned: bool,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A device is as good as a password.
        let Self { name, device, banned, .. } = self;
        let guest = device.is_some();
        f.debug_struct("Account").field("name", name).field("guest", &guest).field("banned", banned).finish()
    }
}

impl Accounts {
    /// A store without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an account, as an operator would; nothing if the name is taken.
    pub fn create(&mut self, name: Name, device: Option<Device>, password: Password) -> Option<AccountId> {
        self.insert(Account { name, device, identity: None, password, banned: false })
    }

    /// Adds the account of an identity, as its first login does. Nothing if it has one.
    pub fn create_for(&mut self, identity: Identity, password: Password) -> Option<AccountId> {
        if self.by_identity(&identity).is_some() {
            return None;
        }
        let name = player_name(self.next_id());
        self.insert(Account { name, device: None, identity: Some(identity), password, banned: false })
    }

    fn insert(&mut self, account: Account) -> Option<AccountId> {
        if self.by_name(&account.name).is_some() {
            return None;
        }
        let id = self.next_id();
        self.accounts.insert(id, account);
        Some(id)
    }

    /// Bans an account, or lifts its ban. `false` if there is no such account.
    pub fn set_banned(&mut self, id: AccountId, banned: bool) -> bool {
        self.accounts.get_mut(&id).map(|account| account.banned = banned).is_some()
    }

    fn next_id(&self) -> AccountId {
        AccountId(self.accounts.keys().next_back().map_or(1, |last| last.0 + 1))
    }

    /// The account of this name.
    #[must_use]
    pub fn by_name(&self, name: &Name) -> Option<AccountId> {
        self.accounts.iter().find(|(_, account)| account.name == *name).map(|(id, _)| *id)
    }

    fn by_device(&self, device: &Device) -> Option<AccountId> {
        self.accounts.iter().find(|(_, account)| account.device.as_ref() == Some(device)).map(|(id, _)| *id)
    }

    /// The account of this identity.
    #[must_use]
    pub fn by_identity(&self, identity: &Identity) -> Option<AccountId> {
        let its = |account: &Account| account.identity.as_ref() == Some(identity);
        self.accounts.iter().find(|(_, account)| its(account)).map(|(id, _)| *id)
    }

    fn answer(&mut self, cx: &Cx<'_>, ask: AccountsAsk, out: &mut Effects) -> AccountsAnswer {
        match ask {
            AccountsAsk::Verify { credentials, guest_password } => {
                self.verify(cx, credentials, guest_password, out)
            }
            AccountsAsk::Profile { account } => match self.accounts.get(&account) {
                None => AccountsAnswer::Refused(Refusal::WrongCredentials),
                Some(account) if account.banned => AccountsAnswer::Refused(Refusal::Banned),
                Some(_) => AccountsAnswer::Profile,
            },
            AccountsAsk::Played { .. } => AccountsAnswer::Done,
        }
    }

    fn verify(
        &mut self,
        cx: &Cx<'_>,
        credentials: Credentials,
        guest_password: Password,
        out: &mut Effects,
    ) -> AccountsAnswer {
        let (name, password, register) = match credentials {
            Credentials::Password { name, password } => (name, password, false),
            Credentials::Register { name, password } => (name, password, true),
            Credentials::Guest { device } => return self.verify_guest(device, guest_password, out),
            Credentials::Signed { identity, registers, .. } => {
                return self.verify_signed(identity, registers, guest_password, out);
            }
        };
        if !well_formed(&name) || password.is_empty() {
            return AccountsAnswer::Refused(Refusal::Malformed);
        }
        let Some(id) = self.by_name(&name) else {
            if register && is_given_name(&name) {
                return AccountsAnswer::Refused(Refusal::NameTaken);
            }
            if !register {
                let alike = cx.settings.policy.refusals_alike;
                let why = if alike { Refusal::WrongCredentials } else { Refusal::UnknownAccount };
                return AccountsAnswer::Refused(why);
            }
            let Some(account) = self.create(name, None, password) else {
                return AccountsAnswer::Refused(Refusal::NameTaken);
            };
            out.note(Fact::CredentialChecked { account, genuine: true });
            return AccountsAnswer::Verified { account, name, newbie: true, guest: false };
        };
        let account = &self.accounts[&id];
        let genuine = account.password == password;
        out.note(Fact::CredentialChecked { account: id, genuine });
        if !genuine && cx.settings.policy.password_checked {
            let why = if register { Refusal::NameTaken } else { Refusal::WrongCredentials };
            return AccountsAnswer::Refused(why);
        }
        if account.banned {
            return AccountsAnswer::Refused(Refusal::Banned);
        }
        AccountsAnswer::Verified { account: id, name, newbie: false, guest: false }
    }

    /// The signature has been checked, and is all there is to check. An account that is made for it gets a password
    /// that nobody is ever told.
    fn verify_signed(
        &mut self,
        identity: Identity,
        registers: bool,
        password: Password,
        out: &mut Effects,
    ) -> AccountsAnswer {
        let known = self.by_identity(&identity);
        if known.is_none() && !registers {
            return AccountsAnswer::Refused(Refusal::WrongCredentials);
        }
        let Some(id) = known.or_else(|| self.create_for(identity, password)) else {
            return AccountsAnswer::Refused(Refusal::NameTaken);
        };
        out.note(Fact::CredentialChecked { account: id, genuine: true });
        let account = &self.accounts[&id];
        if account.banned {
            return AccountsAnswer::Refused(Refusal::Banned);
        }
        AccountsAnswer::Verified { account: id, name: account.name, newbie: known.is_none(), guest: false }
    }

    fn verify_guest(&mut self, device: Device, password: Password, out: &mut Effects) -> AccountsAnswer {
        if device.is_empty() {
            return AccountsAnswer::Refused(Refusal::Malformed);
        }
        let (id, newbie) = match self.by_device(&device) {
            Some(id) => (id, false),
            None => {
                let Some(id) = self.create(guest_name(self.next_id()), Some(device), password) else {
                    return AccountsAnswer::Refused(Refusal::NameTaken);
                };
                (id, true)
            }
        };
        out.note(Fact::CredentialChecked { account: id, genuine: true });
        let account = &self.accounts[&id];
        if account.banned {
            return AccountsAnswer::Refused(Refusal::Banned);
        }
        AccountsAnswer::Verified { account: id, name: account.name, newbie, guest: newbie }
    }
}

impl Role for Accounts {
    fn step(&mut self, cx: &mut Cx<'_>, event: Event, out: &mut Effects) -> Step {
        let Event::Asked(Question { from, call, ask: Ask::Accounts(ask) }) = event else {
            return Step::Ignored(Why::Unexpected);
        };
        let answer = Answer::Accounts(self.answer(cx, ask, out));
        out.answer(from, call, answer);
        Step::Advanced
    }
}

/// Whether a name can be an account's: not empty, no control characters. Its length is bounded by its type.
#[must_use]
pub fn well_formed(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// Whether a name is a guest's: the one that a guest's account gets.
#[must_use]
pub fn is_guest_name(name: &str) -> bool {
    is_numbered(name, GUEST)
}

/// Whether a name is of the kind that accounts are given: nobody may register it, or a newcomer would find his taken.
#[must_use]
pub fn is_given_name(name: &str) -> bool {
    is_guest_name(name) || is_numbered(name, PLAYER)
}

/// The name of a guest account: `guest` and its id.
#[must_use]
pub fn guest_name(id: AccountId) -> Name {
    numbered(GUEST, id)
}

/// The name of an identity's account: `player#` and its id.
#[must_use]
pub fn player_name(id: AccountId) -> Name {
    numbered(PLAYER, id)
}

const GUEST: &str = "guest";
const PLAYER: &str = "player#";

fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn numbered(prefix: &str, id: AccountId) -> Name {
    use core::fmt::Write;
    let mut name = Name::new();
    // 7 letters and at most 20 digits fit into 32 bytes.
    let _ = write!(name, "{prefix}{}", id.0);
    name
}
