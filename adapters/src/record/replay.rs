//! One recording through the roles again: equal events and randomness must give equal effects.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use gatepass_core::{
    ids::{ConnId, Seq, ServerId},
    ledger::Fact,
    message::{Message, Reply, Request, ToRoom},
    properties::{self, LinkStep, Properties, Property, promises_too_much},
    role::{Cx, Effect, Effects, Entropy, Event, Step, Timer},
};
use serde::Serialize;

use super::{
    Ending, Entry, Header, Stepped,
    alias::scrub_replayed,
    chain::{ChainReader, Damage, MAGIC, Next},
    nanos,
};
use crate::drive::{RoleId, Roles};

/// Why a recording is not a run of these roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The file is not as it was written.
    Damaged {
        /// What is wrong with it.
        why: String,
    },
    /// From here on the roles do something else than was recorded.
    Parted {
        /// The number of the entry; the first is 0.
        index: u64,
        /// Which role.
        role: &'static str,
        /// What it heard.
        event: String,
        /// What it did, as the recording has it.
        expected: String,
        /// What it does.
        got: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { why } => f.write_str(why),
            Self::Parted { index, role, event, expected, got } => write!(
                f,
                "entry {index}: {role} does something else\n  hears     {event}\n  recorded  {expected}\n  replayed  {got}"
            ),
        }
    }
}

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It says how.
    Said(Ending),
    /// Its process was killed; so many bytes of an unfinished block are left.
    Torn(usize),
    /// It parts from the roles, or is damaged.
    Faulty,
}

/// Something that a recording says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// Nanoseconds since the recording began.
    pub(super) at: u64,
    /// The number of the entry.
    pub(super) index: u64,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A role, or the account store, did this.
    Fact(Fact),
    /// A step did what no step may do, whatever was before.
    Breaks(Properties, String),
    /// A LoginServer was asked for something.
    Requested(ConnId, Box<Request>),
    /// It answered.
    Replied(ConnId, Box<Reply>),
    /// Nothing is live at this RoomServer any more.
    Gone(ServerId),
}

/// One recording, read step by step.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// Open while it is read.
    chain: Option<ChainReader>,
    block: VecDeque<Entry>,
    roles: Roles,
    effects: Effects,
    /// What is yet to be told, in order.
    noted: VecDeque<Noted>,
    /// When each armed end of the RoomServer's lease comes, by the number of its renewal.
    lease_ends: BTreeMap<u32, u64>,
    pub(super) clock: u64,
    pub(super) events: u64,
    pub(super) effects_seen: u64,
    pub(super) facts: u64,
    entries: u64,
    /// The newest login that its cache issued a token for.
    pub(super) newest: Seq,
    pub(super) end: Option<End>,
    pub(super) fault: Option<Fault>,
}

impl Life {
    /// Reads how a recording begins. Nothing, if its process was killed before it had begun.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Fault> {
        let damaged = |why: &dyn fmt::Display| Fault::Damaged { why: why.to_string() };
        let mut chain = match ChainReader::open(path) {
            Ok(chain) => chain,
            Err(Damage::NoTrace)
                if std::fs::metadata(path).is_ok_and(|file| file.len() < MAGIC.len() as u64) =>
            {
                return Ok(None);
            }
            Err(why) => return Err(damaged(&why)),
        };
        let header: Header = match chain.next().map_err(|why| damaged(&why))? {
            Next::Block(block) => postcard::from_bytes(&block)
                .map_err(|error| damaged(&format_args!("has an unknown head: {error}")))?,
            Next::End | Next::Torn(_) => return Ok(None),
        };
        Ok(Some(Self {
            path: path.to_owned(),
            roles: header.origin.roles(),
            header,
            chain: None,
            block: VecDeque::new(),
            effects: Effects::new(),
            noted: VecDeque::new(),
            lease_ends: BTreeMap::new(),
            clock: 0,
            events: 0,
            effects_seen: 0,
            facts: 0,
            entries: 0,
            newest: Seq::default(),
            end: None,
            fault: None,
        }))
    }

    /// The next thing it says; nothing once it has ended. A file is open only from its first call to its end.
    pub(super) fn next(&mut self) -> Option<Noted> {
        loop {
            if let Some(noted) = self.noted.pop_front() {
                return Some(noted);
            }
            if self.end.is_some() {
                return None;
            }
            match self.entry() {
                Ok(entry) => self.enter(entry),
                Err(end) => self.finish(end),
            }
        }
    }

    fn finish(&mut self, end: End) {
        self.chain = None;
        self.end = Some(end);
        // Whatever happened later is not known: nothing is said to be live there.
        if let Some((server, _)) = self.header.origin.room {
            self.note(What::Gone(server));
        }
    }

    fn entry(&mut self) -> Result<Entry, End> {
        loop {
            if let Some(entry) = self.block.pop_front() {
                return Ok(entry);
            }
            let mut damaged = |why: String| {
                self.fault = Some(Fault::Damaged { why });
                End::Faulty
            };
            let chain = match &mut self.chain {
                Some(chain) => chain,
                None => {
                    let mut chain = ChainReader::open(&self.path).map_err(|why| damaged(why.to_string()))?;
                    // The head was read when it was opened for the first time.
                    chain.next().map_err(|why| damaged(why.to_string()))?;
                    self.chain.insert(chain)
                }
            };
            match chain.next() {
                Ok(Next::Block(block)) => {
                    let mut rest = &block[..];
                    while !rest.is_empty() {
                        let (entry, after) = postcard::take_from_bytes(rest)
                            .map_err(|error| damaged(format!("holds no entry where one must be: {error}")))?;
                        self.block.push_back(entry);
                        rest = after;
                    }
                }
                Ok(Next::End) => return Err(End::Torn(0)),
                Ok(Next::Torn(bytes)) => return Err(End::Torn(bytes)),
                Err(why) => return Err(damaged(why.to_string())),
            }
        }
    }

    fn note(&mut self, what: What) {
        let index = self.entries.saturating_sub(1);
        self.noted.push_back(Noted { at: self.clock, index, what });
    }

    fn enter(&mut self, mut entry: Entry) {
        let at = self.clock.saturating_add(*entry.at());
        // A lease ends when its time is over, also if the process sleeps then and hears of it later.
        if let Some(due) = self.lease_ends.values().min().copied()
            && due < at
            && let Some((server, _)) = self.header.origin.room
        {
            self.clock = self.clock.max(due);
            self.note(What::Gone(server));
            self.lease_ends.retain(|_, end| *end > due);
        }
        self.clock = at;
        self.entries += 1;
        match entry {
            Entry::Stepped(step) => {
                if let Err(fault) = self.step(*step) {
                    self.fault = Some(fault);
                    self.finish(End::Faulty);
                }
            }
            Entry::Verified { account, .. } => {
                self.facts += 1;
                self.note(What::Fact(Fact::CredentialChecked { account, genuine: true }));
            }
            Entry::Alive { .. } => {}
            Entry::Ended { why, .. } => self.finish(End::Said(why)),
        }
    }

    fn step(&mut self, step: Stepped) -> Result<(), Fault> {
        let Stepped { role, event, drawn, became, effects, .. } = step;
        self.events += 1;
        self.effects_seen += effects.len() as u64;
        let unverified = match (&self.roles.room, &event) {
            (Some(room), Event::Received { conn, msg: Message::ToRoom(msg) })
                if role == RoleId::Room && !room.is_live(*conn) =>
            {
                Some((*conn, msg.clone()))
            }
            _ => None,
        };
        let center = self.roles.center.as_ref().filter(|_| role == RoleId::Center);
        let stranger = center.and_then(|center| match &event {
            Event::Received { conn, msg } => LinkStep::stranger(center, *conn, msg),
            _ => None,
        });
        if let Event::Received { conn, msg: Message::Request(request) } = &event {
            self.note(What::Requested(*conn, Box::new(request.clone())));
        }
        let mut script = Script { drawn: &drawn, next: 0 };
        let mut out = std::mem::take(&mut self.effects);
        let _ = out.drain();
        let stepped = {
            let cx = &mut Cx { settings: &self.header.settings, entropy: &mut script };
            // What was recorded may have been tampered with: then even a role's own invariant can break.
            catch_unwind(AssertUnwindSafe(|| self.roles.step(role, cx, event.clone(), &mut out)))
        };
        let replayed: Vec<Effect> = out
            .drain()
            .map(|mut effect| {
                scrub_replayed(&mut effect);
                effect
            })
            .collect();
        self.effects = out;
        let stepped = stepped.map_err(|_| "its own invariant breaks".to_owned());
        let expected = Did { became: Ok(Some(became)), drawn: drawn.len(), effects: &effects };
        let got = Did { became: stepped, drawn: script.next, effects: &replayed };
        if expected != got {
            let (expected, got) = expected.apart(&got);
            let index = self.entries - 1;
            return Err(Fault::Parted { index, role: role.name(), event: told(&event), expected, got });
        }
        self.look(role, unverified.as_ref(), stranger, &replayed);
        for effect in replayed {
            match effect {
                Effect::Note(fact) => {
                    self.facts += 1;
                    if let Fact::TokenIssued { seq, .. } = fact {
                        self.newest = self.newest.max(seq);
                    }
                    self.note(What::Fact(fact));
                }
                Effect::Arm { timer: Timer::LeaseEnd(number), after } => {
                    self.lease_ends.insert(number, self.clock.saturating_add(nanos(after)));
                }
                Effect::Send { conn, msg: Message::Reply(reply) } => {
                    self.note(What::Replied(conn, Box::new(reply)));
                }
                Effect::Disarm(Timer::LeaseEnd(number)) => {
                    self.lease_ends.remove(&number);
                }
                _ => {}
            }
        }
        if let Event::Fired(Timer::LeaseEnd(number)) = event {
            self.lease_ends.remove(&number);
        }
        Ok(())
    }

    /// The properties that speak of single steps.
    fn look(
        &mut self,
        role: RoleId,
        unverified: Option<&(ConnId, ToRoom)>,
        stranger: Option<ConnId>,
        effects: &[Effect],
    ) {
        let mut broken = Properties::NONE;
        if let Some(link) = stranger {
            broken.add(LinkStep { unverified: link, effects }.judge().broken);
        }
        if let Some((conn, msg)) = unverified {
            broken.add(properties::Step { unverified: *conn, msg, effects }.judge().broken);
        }
        let center = self.roles.center.as_ref().filter(|_| role == RoleId::Center);
        broken.add_if(center.is_some_and(|center| promises_too_much(center, effects)), Property::Capacity);
        let connections = self.header.settings.capacity.connections as usize;
        let room = self.roles.room.as_ref().filter(|_| role == RoleId::Room);
        broken.add_if(room.is_some_and(|room| room.sizes().0 > connections), Property::Bounded);
        if broken != Properties::NONE {
            self.note(What::Breaks(broken, told(&effects)));
        }
    }
}

/// What a step did.
#[derive(PartialEq)]
struct Did<'a> {
    became: Result<Option<Step>, String>,
    drawn: usize,
    effects: &'a [Effect],
}

impl Did<'_> {
    /// Where two of them differ first, in words.
    fn apart(&self, other: &Self) -> (String, String) {
        if self.became != other.became {
            return (format!("{:?}", self.became), format!("{:?}", other.became));
        }
        if self.drawn != other.drawn {
            return (format!("draws {} keys", self.drawn), format!("draws {} keys", other.drawn));
        }
        let most = self.effects.len().max(other.effects.len());
        let at = (0..most).find(|at| self.effects.get(*at) != other.effects.get(*at)).unwrap_or(0);
        let one = |effects: &[Effect]| effects.get(at).map_or_else(|| "nothing".to_owned(), told);
        (format!("effect {at}: {}", one(self.effects)), format!("effect {at}: {}", one(other.effects)))
    }
}

/// A value with everything in it: aliases are no secrets.
fn told<T: Serialize + fmt::Debug + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| format!("{value:?}"))
}

/// Randomness that was drawn before.
struct Script<'a> {
    drawn: &'a [[u8; 16]],
    next: usize,
}

impl Entropy for Script<'_> {
    /// Beyond what was recorded there is nothing; that more was drawn is noticed by its number.
    fn bits(&mut self) -> [u8; 16] {
        let bits = self.drawn.get(self.next).copied().unwrap_or_default();
        self.next += 1;
        bits
    }
}
