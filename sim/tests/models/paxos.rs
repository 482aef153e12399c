//! Single-decree Paxos on stateright's actors: servers agree on one of the values that clients want written, and
//! whoever reads it sees a register. Clients, network and the check of the register are stateright's own.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use stateright::{
    Expectation,
    actor::{
        Actor, ActorModel, Id, Network, Out, majority, model_peers,
        register::{RegisterActor, RegisterMsg},
    },
    semantics::{LinearizabilityTester, register::Register},
};

/// A number of an attempt to lead, and whose attempt it is.
type Ballot = (u32, Id);
/// A client's request, the client, and what it wants written.
type Wish = (u64, Id, char);
/// What a server has voted for.
type Vote = Option<(Ballot, Wish)>;
type Msg = RegisterMsg<u64, char, Talk>;
/// The whole system: servers, clients, and the history of the register.
pub(crate) type Paxos = ActorModel<RegisterActor<Server>, (), LinearizabilityTester<Id, Register<char>>>;

/// What servers say to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Talk {
    /// Follow me.
    Lead(Ballot),
    /// I follow you, and voted for this before.
    Follow(Ballot, Vote),
    /// Vote for this.
    Propose(Ballot, Wish),
    /// I do.
    Agree(Ballot),
    /// Most did.
    Settled(Ballot, Wish),
}

/// What a server remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Memory {
    newest: Ballot,
    wish: Option<Wish>,
    followers: BTreeMap<Id, Vote>,
    agreed: BTreeSet<Id>,
    vote: Vote,
    settled: bool,
}

#[derive(Clone)]
pub(crate) struct Server {
    others: Vec<Id>,
}

impl Server {
    fn most(&self) -> usize {
        majority(self.others.len() + 1)
    }

    fn tell_all(&self, talk: Talk, out: &mut Out<Self>) {
        out.broadcast(&self.others, &RegisterMsg::Internal(talk));
    }

    /// Another client's write comes while this one is free to lead.
    fn lead(&self, own: Id, wish: Wish, memory: &mut Memory, out: &mut Out<Self>) {
        memory.wish = Some(wish);
        memory.newest = (memory.newest.0 + 1, own);
        memory.followers = BTreeMap::from([(own, memory.vote)]);
        memory.agreed.clear();
        self.tell_all(Talk::Lead(memory.newest), out);
    }

    /// With most behind him, a leader proposes what was voted for last, or else what he was asked for.
    fn propose(&self, own: Id, memory: &mut Memory, out: &mut Out<Self>) {
        let last = memory.followers.values().max().copied().flatten();
        let Some(wish) = last.map(|(_, wish)| wish).or(memory.wish) else { return };
        memory.wish = Some(wish);
        memory.vote = Some((memory.newest, wish));
        memory.agreed.insert(own);
        self.tell_all(Talk::Propose(memory.newest, wish), out);
    }

    fn hear(&self, own: Id, from: Id, talk: Talk, memory: &mut Cow<'_, Memory>, out: &mut Out<Self>) {
        match talk {
            Talk::Lead(ballot) if ballot > memory.newest => {
                memory.to_mut().newest = ballot;
                out.send(from, RegisterMsg::Internal(Talk::Follow(ballot, memory.vote)));
            }
            Talk::Follow(ballot, vote) if ballot == memory.newest => {
                let memory = memory.to_mut();
                memory.followers.insert(from, vote);
                if memory.followers.len() == self.most() {
                    self.propose(own, memory, out);
                }
            }
            Talk::Propose(ballot, wish) if ballot >= memory.newest => {
                let memory = memory.to_mut();
                memory.newest = ballot;
                memory.vote = Some((ballot, wish));
                out.send(from, RegisterMsg::Internal(Talk::Agree(ballot)));
            }
            Talk::Agree(ballot) if ballot == memory.newest => {
                let memory = memory.to_mut();
                memory.agreed.insert(from);
                let Some(wish) = memory.wish.filter(|_| memory.agreed.len() == self.most()) else { return };
                memory.settled = true;
                self.tell_all(Talk::Settled(ballot, wish), out);
                out.send(wish.1, RegisterMsg::PutOk(wish.0));
            }
            Talk::Settled(ballot, wish) => {
                let memory = memory.to_mut();
                memory.newest = ballot;
                memory.vote = Some((ballot, wish));
                memory.settled = true;
            }
            _ => {}
        }
    }
}

impl Actor for Server {
    type Msg = Msg;
    type State = Memory;
    type Timer = ();
    type Random = ();
    type Storage = ();

    fn on_start(&self, _: Id, _: &Option<()>, _: &mut Out<Self>) -> Memory {
        Memory {
            newest: (0, Id::from(0)),
            wish: None,
            followers: BTreeMap::new(),
            agreed: BTreeSet::new(),
            vote: None,
            settled: false,
        }
    }

    fn on_msg(&self, own: Id, memory: &mut Cow<'_, Memory>, from: Id, msg: Msg, out: &mut Out<Self>) {
        match msg {
            RegisterMsg::Get(request) if memory.settled => {
                if let Some((_, (_, _, value))) = memory.vote {
                    out.send(from, RegisterMsg::GetOk(request, value));
                }
            }
            _ if memory.settled => {}
            RegisterMsg::Put(request, value) if memory.wish.is_none() => {
                self.lead(own, (request, from, value), memory.to_mut(), out);
            }
            RegisterMsg::Internal(talk) => self.hear(own, from, talk, memory, out),
            _ => {}
        }
    }
}

/// Three servers and so many clients, each of which writes once and then reads; messages come once, in any order.
pub(crate) fn paxos(clients: usize) -> Paxos {
    const SERVERS: usize = 3;
    let server = |own| RegisterActor::Server(Server { others: model_peers(own, SERVERS) });
    ActorModel::new((), LinearizabilityTester::new(Register(char::default())))
        .actors((0..SERVERS).map(server))
        .actors((0..clients).map(|_| RegisterActor::Client { put_count: 1, server_count: SERVERS }))
        .init_network(Network::new_unordered_nonduplicating([]))
        .property(Expectation::Always, "linearizable", |_, state| {
            state.history.serialized_history().is_some()
        })
        .property(Expectation::Sometimes, "value chosen", |_, state| {
            let chosen = |msg: &Msg| matches!(msg, RegisterMsg::GetOk(_, value) if *value != char::default());
            state.network.iter_deliverable().any(|envelope| chosen(envelope.msg))
        })
        .record_msg_in(RegisterMsg::record_returns)
        .record_msg_out(RegisterMsg::record_invocations)
}
