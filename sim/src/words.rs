//! Messages, timers and facts in the words of the domain, for traces and diagrams.

use gatepass_core::{
    ids::{AccountId, Payload, RoomKey, Seq, Version},
    ledger::{Ended, Fact},
    message::{
        AccountsAnswer, AccountsAsk, Answer, Ask, CacheAnswer, CacheAsk, CenterAnswer, CenterAsk,
        Credentials, Message, Reply, RequestBody, ToCenter, ToPlayer, ToRoom, ToServer,
    },
    role::Timer,
};

use crate::net::Body;

/// A simulated key's short name: who drew it, and as which one.
fn key(bits: [u8; 16]) -> String {
    format!("{}.{}", bits[0], u32::from_be_bytes([bits[12], bits[13], bits[14], bits[15]]))
}

/// A simulated payload's short name: the connection it was signed for.
pub(crate) fn payload(it: Payload) -> String {
    u64::try_from(u128::from_be_bytes(it.bits()))
        .map_or_else(|_| "nothing".into(), |it| format!("payload {it}"))
}

fn token(key_: Option<&RoomKey>) -> String {
    key_.map_or_else(|| "no token".to_owned(), |it| format!("token {}", key(it.bits())))
}

/// What a packet says.
#[must_use]
pub fn body(body: &Body) -> String {
    match body {
        Body::Message(_, msg) | Body::FromCenter(_, msg) => message(msg),
        Body::Closed(_) => "closes the connection".into(),
        Body::LinkClosed(_) => "closes the link".into(),
        Body::Asked(question) => ask(&question.ask),
        Body::Answered(_, it) => answer(it),
    }
}

/// What a message says.
#[must_use]
pub fn message(msg: &Message) -> String {
    match msg {
        Message::Request(request) => match &request.body {
            RequestBody::Login(Credentials::Password { name, .. }) => format!("log in as {name}"),
            RequestBody::Login(Credentials::Register { name, .. }) => format!("register {name}"),
            RequestBody::Login(Credentials::Guest { .. }) => "log in as a guest".into(),
            RequestBody::Login(Credentials::Signed { identity, payload: it, .. }) => {
                format!("log in as {} by {}", identity.subject, payload(*it))
            }
            RequestBody::Room { session: Some(session), .. } => {
                format!("a room, session {}", key(session.bits()))
            }
            RequestBody::Room { session: None, .. } => "a room, no session".into(),
            RequestBody::Session { session: Some(session) } => {
                format!("whose is session {}", key(session.bits()))
            }
            RequestBody::Session { session: None } => "whose is no session".into(),
            RequestBody::Bad(why) => format!("bad request: {}", why.name()),
        },
        Message::Reply(Reply::LoggedIn { account, session, .. }) => {
            format!("logged in: {account}, session {}", key(session.bits()))
        }
        Message::Reply(Reply::Room { endpoint, key, .. }) => {
            format!("enter {endpoint}, {}", token(Some(key)))
        }
        Message::Reply(Reply::Session { account }) => format!("session of {account}"),
        Message::Reply(Reply::Refused(why)) => format!("refused: {} ({})", why.name(), why.code()),
        Message::ToRoom(msg) => match msg {
            ToRoom::Login { key, .. } => format!("MsgLogin, {}", token(key.as_ref())),
            ToRoom::Heartbeat => "heartbeat".into(),
            ToRoom::Logout => "logout".into(),
            ToRoom::Bind { account, .. } => format!("bind datagrams of {account}"),
            ToRoom::Game(command) => format!("game command {command}"),
            ToRoom::Malformed => "garbage".into(),
        },
        Message::ToPlayer(msg) => match msg {
            ToPlayer::Admitted { account, room, .. } => format!("admitted: {account} in {room}"),
            ToPlayer::Echo => "echo".into(),
            ToPlayer::LoggedOut => "logged out".into(),
            ToPlayer::Refused(why) => format!("error {}: {}", why.code(), why.name()),
        },
        Message::ToCenter(msg) => match msg {
            ToCenter::Register { trusted, server, .. } => {
                let server = server.map_or(String::new(), |server| format!(" {server}"));
                let key = if *trusted { "" } else { " with a wrong key" };
                format!("register{server}{key}")
            }
            ToCenter::Load { players, .. } => format!("load: {players} players"),
            ToCenter::Room { room, players, joined: Some(account) } => {
                format!("{account} joined {room}: {players} there")
            }
            ToCenter::Room { room, players, joined: None } => format!("{room} has {players} players"),
            ToCenter::RoomGone(room) => format!("{room} is gone"),
            ToCenter::Kick(kick) => {
                format!("kick {} below {:?} at {}", kick.account, kick.below, kick.owner)
            }
            ToCenter::Kicked { to, account } => format!("kicked {account}, tell {to}"),
            ToCenter::Kept { account, .. } => format!("kept {account}"),
            ToCenter::Draining => "draining".into(),
            ToCenter::Fenced => "lost its lease".into(),
            ToCenter::Forward { link, .. } => format!("forward to {link}"),
        },
        Message::ToServer(msg) => match msg {
            ToServer::Registered(link) => format!("registered as {link}"),
            ToServer::Kick(kick) => format!("kick {} below {:?}", kick.account, kick.below),
            ToServer::Kicked(account) => format!("{account} was kicked"),
            ToServer::Kept { account, .. } => format!("{account} is kept"),
            ToServer::CheckRelogin { account, .. } => format!("check relogin of {account}"),
            ToServer::LoadConfig => "load config".into(),
            ToServer::Forwarded { .. } => "forwarded".into(),
        },
    }
}

fn ask(ask: &Ask) -> String {
    match ask {
        Ask::Cache(ask) => match ask {
            CacheAsk::OpenSession { account, key: it, payload: None } => {
                format!("open session {} of {account}", key(it.bits()))
            }
            CacheAsk::OpenSession { account, key: it, payload: Some(by) } => {
                format!("open session {} of {account} by {}", key(it.bits()), payload(*by))
            }
            CacheAsk::FindSession { key: it } => format!("find session {}", key(it.bits())),
            CacheAsk::IssueToken { account, key, place, .. } => {
                format!("issue {} for {account} at {}", token(Some(key)), place.server)
            }
            CacheAsk::RevokeSession { account } => format!("revoke session of {account}"),
            CacheAsk::Redeem { key, server, .. } => format!("redeem {} at {server}", token(Some(key))),
            CacheAsk::Claim { account, server, .. } => format!("{account} belongs to {server} now"),
            CacheAsk::Release { account, version, .. } => format!("release {account} v{version:?}"),
            CacheAsk::Renew { number, .. } => format!("renew lease #{number}"),
            CacheAsk::Reassert { held, .. } => {
                let each = |(account, seq): &(AccountId, Seq)| format!("{account} login {seq:?}");
                format!("reassert {}", held.iter().map(each).collect::<Vec<_>>().join(", "))
            }
            CacheAsk::Recall { used, .. } => format!("remember {} used payloads", used.len()),
            CacheAsk::Resign { server } => format!("resign {server}"),
        },
        Ask::Accounts(ask) => match ask {
            AccountsAsk::Verify { .. } => "verify credentials".into(),
            AccountsAsk::Profile { account } => format!("profile of {account}"),
            AccountsAsk::Played { account } => format!("{account} played"),
        },
        Ask::Center(CenterAsk::Place { account, .. }) => format!("a place for {account}"),
    }
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Cache(answer) => match answer {
            CacheAnswer::Done => "done".into(),
            CacheAnswer::Session { account } => format!("session of {account}"),
            CacheAnswer::Issued { key, .. } => format!("issued {}", token(Some(key))),
            CacheAnswer::Granted(grant) => {
                format!("granted {} login {:?} v{:?}", grant.account, grant.seq, grant.version)
            }
            CacheAnswer::Owned { account, owner, version, .. } => {
                format!("{account} belongs to {owner} v{version:?}")
            }
            CacheAnswer::NotYet => "not yet".into(),
            CacheAnswer::Renewed { generation } => format!("renewed in {generation}"),
            CacheAnswer::OtherTerms(_) => "not renewed: its times are others".into(),
            CacheAnswer::Reasserted(accounts) => {
                let each = |(account, version): &(AccountId, Option<Version>)| match version {
                    Some(version) => format!("reasserted {account} v{version:?}"),
                    None => format!("{account} is another server's"),
                };
                accounts.iter().map(each).collect::<Vec<_>>().join(", ")
            }
            CacheAnswer::Refused(why) => format!("refused: {}", why.name()),
        },
        Answer::Accounts(answer) => match answer {
            AccountsAnswer::Verified { account, .. } => format!("verified {account}"),
            AccountsAnswer::Profile => "may enter".into(),
            AccountsAnswer::Done => "done".into(),
            AccountsAnswer::Refused(why) => format!("refused: {}", why.name()),
        },
        Answer::Center(CenterAnswer::Placed(place)) => format!("{} at {}", place.room, place.endpoint),
        Answer::Center(CenterAnswer::Full) => "full".into(),
    }
}

/// What a timer that runs out means.
#[must_use]
pub fn timer(timer: &Timer) -> String {
    match timer {
        Timer::Reply => "no answer in time".into(),
        Timer::Heartbeat => "time for a heartbeat".into(),
        Timer::Leave => "time to leave".into(),
        Timer::Request(_) => "request took too long".into(),
        Timer::Backoff(..) => "may try again".into(),
        Timer::SessionEnd(it) => format!("session {} ends", key(it.bits())),
        Timer::TokenEnd(it) => format!("time of token {} is over", key(it.bits())),
        Timer::PayloadGrace => "what was used before the loss is too old now".into(),
        Timer::PayloadEnd(it) => format!("{} is forgotten", payload(*it)),
        Timer::ServerLease(server) => format!("lease of {server} ends in the cache"),
        Timer::Grace => "grace ends".into(),
        Timer::Seat(account) => format!("seat of {account} expires"),
        Timer::LinkUnverified(_) => "link did not register".into(),
        Timer::Unverified(conn) => format!("{conn} not verified in time"),
        Timer::Retry(conn) => format!("ask again for {conn}"),
        Timer::Idle(conn) => format!("{conn} is silent"),
        Timer::Offline(conn) => format!("the end of {conn} reaches its room"),
        Timer::Renew => "time to renew".into(),
        Timer::LeaseEnd(number) => format!("own lease #{number} ends"),
        Timer::Announce => "announce more rooms".into(),
        Timer::DrainEnd => "drain ends".into(),
    }
}

/// A fact worth a note in a trace.
#[must_use]
pub fn fact(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Admitted { conn, account, seq, resumes: None, .. } => {
            format!("{account} live on {conn}, login {seq:?}")
        }
        Fact::Admitted { conn, account, resumes: Some(old), .. } => {
            format!("{account} live on {conn}, resuming {old}")
        }
        Fact::Left { conn, account, why, .. } => {
            let why = match why {
                Ended::LoggedOut => "logged out".to_owned(),
                Ended::Lost => "connection lost".to_owned(),
                Ended::Idle => "idle".to_owned(),
                Ended::Replaced { by } => format!("replaced by login {by:?}"),
                Ended::Resumed => "resumed elsewhere".to_owned(),
                Ended::NotReasserted => "not reasserted".to_owned(),
            };
            format!("{account} no longer live on {conn}: {why}")
        }
        Fact::SessionEnded { key: it } => format!("session {} is over", key(it.bits())),
        Fact::Unseated { conn, .. } => format!("{conn} is taken out of its room"),
        Fact::TokenSuperseded { key: it } => format!("token {} is superseded", key(it.bits())),
        Fact::TokenExpired { key: it, .. } => format!("token {} is expired", key(it.bits())),
        Fact::CredentialChecked { genuine: false, account } => format!("wrong password for {account}"),
        _ => return None,
    })
}
