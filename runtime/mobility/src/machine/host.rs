//! One host: what this VTEP is to it, and which role answers which fact.
//!
//! ```text
//!               heard here                    idle, or claimed by somebody
//!   Absent ───────────────────────▶ Owner ────────────────────────────▶ Owner, asking
//!     │ │ told                        ▲ ▲ ◀──────────── answered ─────────── │
//!     │ │                             │ └───── silent, claimed by a port ────┤
//!     │ ▼          heard here         │ Moved                                │
//!     │ Observer ───────────▶ Claimant┘                                      │
//!     │   ▲  ▲  ◀── Stayed ────── │                                          │
//!     │   │  └────────────────────┘                                          │
//!     │   └─────────────────────────────── silent, claimed by a peer ────────┘
//!     │ "it was yours"
//!     └──────▶ Sought ── answered on a port ──▶ Owner
//! ```

use crate::guards::{Guard, is_out};
use crate::inout::message::Migration;
use crate::knowledge::aftermath::Doubt;
use crate::knowledge::entry::{Absent, Remote};
use crate::roles::claimant::{self, Claimant};
use crate::roles::fact::Fact;
use crate::roles::known::Known;
use crate::roles::observer;
use crate::roles::owner::{self, Owner};
use crate::roles::sought::{self, Sought};
use crate::roles::world::{Out, World};
use crate::words::ids::Location;

/// What this VTEP is to the host at the moment.
#[derive(Debug, Clone, Hash)]
pub(crate) enum Role {
    /// Nothing: nobody has it. Such a host is forgotten after the event.
    Absent(Absent),
    Owner(Owner),
    /// Its owner, who does not know where it is.
    Sought(Sought),
    Observer(Remote),
    Claimant(Claimant),
}

/// The answer to a fact: the host's next role, decisions going to `out`.
pub(crate) fn react(role: Role, known: &mut Known, world: &World<'_>, out: &mut Out<'_>, fact: Fact) -> Role {
    let mut role = match role {
        Role::Absent(absent) => if_absent(absent, known, world, out, fact),
        Role::Owner(owner) => if_owner(owner, known, world, out, fact),
        Role::Sought(sought) => if_sought(sought, known, world, out, fact),
        Role::Observer(remote) => if_observer(remote, known, world, out, fact),
        Role::Claimant(claimant) => if_claimant(claimant, known, world, out, fact),
    };
    if let Role::Owner(owner) = &mut role {
        owner.tell_addresses(known, out);
    }
    role
}

/// The host is none: its MAC is a VTEP's.
pub(crate) fn discard(role: Role, known: &Known, out: &mut Out<'_>) {
    match role {
        Role::Absent(_) | Role::Observer(_) => {}
        Role::Owner(owner) => owner.discard(known, out),
        Role::Sought(sought) => sought.discard(out),
        Role::Claimant(claimant) => claimant.discard(out),
    }
}

fn if_absent(absent: Absent, known: &mut Known, world: &World<'_>, out: &mut Out<'_>, fact: Fact) -> Role {
    match fact {
        Fact::Heard(heard) => {
            let sequence = crate::words::sequence::Sequence::FIRST;
            let forgotten = world.young && !world.all_have_told() && !is_out(Guard::Forgotten);
            let doubt = match (forgotten, world.somebody_withholds()) {
                (true, _) => Doubt::Unheard,
                (false, true) => Doubt::Withheld,
                (false, false) => Doubt::No,
            };
            after_owner(Owner::learn(absent, sequence, heard, doubt, known, world, out), known, world, out)
        }
        Fact::Requests { frame, .. } => {
            out.release([frame]);
            Role::Absent(absent)
        }
        Fact::Restored { location: Location::Local(port), .. } => {
            Role::Owner(Owner::restored(absent, port, known, world.now))
        }
        Fact::Restored { location: Location::Remote(vtep), passed_on } => {
            after_observer(observer::restored(absent, vtep, passed_on, known, world, out))
        }
        Fact::Claimed(claimed) if world.young && !is_out(Guard::Young) => {
            known.addresses.told(&claimed.bindings, Location::Remote(claimed.from), world.now, world.addresses_limit());
            after_sought(Sought::claimed_first(absent, &claimed, known, world, out), known, world, out)
        }
        Fact::Claimed(claimed) => after_observer(observer::claimed_unknown(absent, &claimed, known, world, out)),
        Fact::Told(told) => after_observer(observer::learn(absent, &told, known, world, out)),
        Fact::Replied { from, reply } => {
            observer::reply_without_claim(from, &reply, known, out);
            Role::Absent(absent)
        }
        Fact::Withdrawn(withdrawn) => {
            after_observer(observer::withdrawn_unknown(absent, &withdrawn, known, world, out))
        }
        Fact::Ours { bindings, sequence } => {
            if let Err(full) = world.room {
                out.is_full(full, None);
                return Role::Absent(absent);
            }
            known.addresses.told(&bindings, Location::Remote(world.config.me), world.now, world.addresses_limit());
            // Everybody is to go on believing that it is ours.
            out.advertise(None, known.key, known.addresses.bindings(), sequence, None);
            Role::Sought(Sought::begin(absent, sequence, world.now))
        }
        Fact::AddressClaimed { address, by } => {
            out.address_verdict(by, known.key, address, true);
            Role::Absent(absent)
        }
        Fact::Standing { .. } => {
            out.counters.stale_messages += 1;
            Role::Absent(absent)
        }
        Fact::Answered { .. } | Fact::Seen { .. } => {
            out.counters.unasked_answers += 1;
            Role::Absent(absent)
        }
        Fact::Left { .. }
        | Fact::Checked { .. }
        | Fact::PortDown { .. }
        | Fact::Idle
        | Fact::OwnerUp
        | Fact::OwnerDown
        | Fact::RestoredAddress { .. }
        | Fact::Expected { .. }
        | Fact::Settled { .. }
        | Fact::AskNow
        | Fact::Due => Role::Absent(absent),
    }
}

fn if_owner(mut owner: Owner, known: &mut Known, world: &World<'_>, out: &mut Out<'_>, fact: Fact) -> Role {
    let became = match fact {
        Fact::Heard(heard) => owner.heard(heard, known, world, out),
        Fact::Requests { port, address, target, frame } => {
            owner.requests(port, address, (target, frame), known, world, out)
        }
        Fact::Left { question, round } => {
            owner.has_left(question, round, world.now);
            return Role::Owner(owner);
        }
        Fact::Checked { question, complete } => owner.checked(question, complete, known, world, out),
        Fact::Answered { from, address } => owner.answered(from, address, known, world, out),
        Fact::Seen { port, address } => owner.seen(port, address, known, world, out),
        Fact::PortDown { port } => owner.port_down(port, known, world, out),
        Fact::Idle => owner.idle(known, world, out),
        Fact::Claimed(claimed) => owner.claimed(claimed, known, world, out),
        Fact::Standing { from, claim, answers } => owner.standing(from, claim, answers, known, world, out),
        Fact::Told(told) if owner.may_be_anywhere(&told, known, world) => {
            let sequence = owner.sequence();
            let (absent, heard) = owner.unlearned();
            let sought = Sought::begin(absent, sequence, world.now).contested_by(&told, known, world, out);
            return after_sought(sought.heard(heard, known, world, out), known, world, out);
        }
        Fact::Told(told) => owner.told(told, known, world, out),
        Fact::Replied { from, reply } => owner.replied(from, &reply, known, world, out),
        Fact::Withdrawn(withdrawn) => owner.withdrawn(&withdrawn, known, world, out),
        Fact::Ours { bindings, sequence } if owner.may_be_elsewhere_here(world) => {
            known.addresses.told(&bindings, Location::Remote(world.config.me), world.now, world.addresses_limit());
            let (absent, heard) = owner.unlearned();
            let sought = Sought::begin(absent, sequence, world.now);
            return after_sought(sought.heard(heard, known, world, out), known, world, out);
        }
        Fact::Ours { bindings, sequence } => {
            owner.ours(&bindings, sequence, known, world, out);
            return Role::Owner(owner);
        }
        Fact::RestoredAddress { address, confirmed } => {
            owner.restored_address(address, confirmed, known, world);
            return Role::Owner(owner);
        }
        Fact::Expected { to, until } => {
            known.announce(to, until);
            owner.advance(known, world, out)
        }
        Fact::Settled { keep } => owner.settle(keep, known, world, out),
        Fact::AskNow => {
            owner.ask_now(known, world, out);
            return Role::Owner(owner);
        }
        Fact::AddressClaimed { address, by } => {
            owner.address_claimed(address, by, known, world, out);
            return Role::Owner(owner);
        }
        Fact::Due => owner.advance(known, world, out),
        Fact::OwnerUp => {
            owner.claim_afterwards(known, world, out);
            return Role::Owner(owner);
        }
        Fact::OwnerDown | Fact::Restored { .. } => return Role::Owner(owner),
    };
    after_owner(became, known, world, out)
}

fn if_sought(mut sought: Sought, known: &mut Known, world: &World<'_>, out: &mut Out<'_>, fact: Fact) -> Role {
    let became = match fact {
        Fact::Heard(heard) => sought.heard(heard, known, world, out),
        Fact::Requests { frame, .. } => {
            out.release([frame]);
            return Role::Sought(sought);
        }
        Fact::Left { question, round } => {
            sought.has_left(question, round, world.now);
            return Role::Sought(sought);
        }
        Fact::Checked { question, complete } => sought.checked(question, complete, known, world, out),
        Fact::Answered { from, address } => sought.answered(from, Some(address), known, out),
        Fact::Seen { port, address } => sought.answered(Location::Local(port), address, known, out),
        Fact::Claimed(claimed) => sought.claimed(&claimed, known, world, out),
        Fact::Standing { from, claim, answers } => sought.standing(from, claim, answers, known, world, out),
        Fact::Ours { sequence, .. } => sought::Became::Sought(sought.ours(sequence, known, out)),
        Fact::Withdrawn(withdrawn) => {
            sought.withdrawn(&withdrawn, known, world);
            sought::Became::Sought(sought)
        }
        Fact::Told(told) => sought.told(&told, known, out),
        Fact::Replied { .. } => {
            out.counters.stale_messages += 1;
            return Role::Sought(sought);
        }
        Fact::Expected { to, until } => {
            known.announce(to, until);
            return Role::Sought(sought);
        }
        Fact::AddressClaimed { address, by } => {
            out.address_verdict(by, known.key, address, false);
            return Role::Sought(sought);
        }
        Fact::Due => sought.advance(known, world, out),
        Fact::PortDown { .. }
        | Fact::Idle
        | Fact::OwnerUp
        | Fact::OwnerDown
        | Fact::Restored { .. }
        | Fact::RestoredAddress { .. }
        | Fact::AskNow
        | Fact::Settled { .. } => return Role::Sought(sought),
    };
    after_sought(became, known, world, out)
}

fn if_observer(remote: Remote, known: &mut Known, world: &World<'_>, out: &mut Out<'_>, fact: Fact) -> Role {
    match fact {
        Fact::Heard(heard) => after_claimant(Claimant::heard(remote, heard, known, world, out), known, world, out),
        // Its claim is over, and the switch has not heard yet.
        Fact::Requests { frame, .. } => {
            out.drop([frame]);
            Role::Observer(remote)
        }
        Fact::Answered { from: Location::Local(port), address }
            if known.answers_after_all(port, world.now, world.timers()) =>
        {
            after_claimant(Claimant::answered_after_all(remote, port, address, known, world, out), known, world, out)
        }
        Fact::Answered { .. } | Fact::Seen { .. } => {
            out.counters.unasked_answers += 1;
            Role::Observer(remote)
        }
        Fact::Claimed(claimed) => {
            observer::claimed(&remote, &claimed, known, world, out);
            Role::Observer(remote)
        }
        Fact::Told(told) => after_observer(observer::told(remote, &told, known, world, out)),
        Fact::Replied { from, reply } => {
            observer::reply_without_claim(from, &reply, known, out);
            after_observer(observer::settle(remote, known, world, out))
        }
        Fact::Withdrawn(withdrawn) => after_observer(observer::withdrawn(remote, &withdrawn, known, world, out)),
        Fact::Due => after_observer(observer::settle(remote, known, world, out)),
        Fact::Standing { .. } => {
            out.counters.stale_messages += 1;
            Role::Observer(remote)
        }
        Fact::RestoredAddress { address, confirmed: _ } => {
            known.addresses.add_unconfirmed(address, world.addresses_limit());
            Role::Observer(remote)
        }
        Fact::Expected { to, until } => {
            known.announce(to, until);
            Role::Observer(remote)
        }
        Fact::AddressClaimed { address, by } => {
            out.address_verdict(by, known.key, address, false);
            Role::Observer(remote)
        }
        Fact::Left { .. }
        | Fact::Checked { .. }
        | Fact::PortDown { .. }
        | Fact::Idle
        | Fact::Ours { .. }
        | Fact::OwnerUp
        | Fact::OwnerDown
        | Fact::Restored { .. }
        | Fact::AskNow
        | Fact::Settled { .. } => Role::Observer(remote),
    }
}

fn if_claimant(mut claimant: Claimant, known: &mut Known, world: &World<'_>, out: &mut Out<'_>, fact: Fact) -> Role {
    let became = match fact {
        Fact::Heard(heard) => claimant.heard_again(heard, known, world, out),
        Fact::Requests { port, address, target, frame } => {
            claimant.requests(port, address, (target, frame), known, world, out)
        }
        Fact::Left { question, round } => {
            claimant.has_left(question, round, world.now);
            return Role::Claimant(claimant);
        }
        Fact::Checked { question, complete } => claimant.checked(question, complete, known, world, out),
        Fact::Answered { from, address } => claimant.answered(from, address, known, world, out),
        Fact::Seen { port, .. } => claimant.seen(port, known, world, out),
        Fact::PortDown { port } => claimant.port_down(port, known, world, out),
        Fact::Claimed(claimed) => claimant.claimed(claimed, known, world, out),
        Fact::Told(told) => claimant.told(&told, known, world, out),
        Fact::Replied { from, reply } => claimant.replied(from, &reply, known, world, out),
        Fact::Withdrawn(withdrawn) => claimant.withdrawn(&withdrawn, known, world, out),
        Fact::OwnerUp => claimant.owner_up(known, world, out),
        Fact::OwnerDown => claimant.owner_down(world),
        Fact::Due => claimant.advance(known, world, out),
        Fact::Expected { to, until } => {
            known.announce(to, until);
            return Role::Claimant(claimant);
        }
        Fact::AddressClaimed { address, by } => {
            out.address_verdict(by, known.key, address, false);
            return Role::Claimant(claimant);
        }
        Fact::Standing { .. } => {
            out.counters.stale_messages += 1;
            return Role::Claimant(claimant);
        }
        Fact::Idle
        | Fact::Ours { .. }
        | Fact::Restored { .. }
        | Fact::RestoredAddress { .. }
        | Fact::AskNow
        | Fact::Settled { .. } => return Role::Claimant(claimant),
    };
    after_claimant(became, known, world, out)
}

fn after_owner(became: owner::Became, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Role {
    match became {
        owner::Became::Owner(owner) => Role::Owner(owner),
        owner::Became::Observer(remote) => after_observer(observer::settle(remote, known, world, out)),
        // Somebody else may have it.
        owner::Became::Nothing(absent) => match known.routes.best(None) {
            Some(route) => Role::Observer(Remote::learned(absent, route.vtep)),
            None => Role::Absent(absent),
        },
    }
}

fn after_observer(became: observer::Became) -> Role {
    match became {
        observer::Became::Observer(remote) => Role::Observer(remote),
        observer::Became::Nothing(absent) => Role::Absent(absent),
    }
}

fn after_sought(became: sought::Became, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Role {
    match became {
        sought::Became::Sought(sought) => Role::Sought(sought),
        sought::Became::Found(absent, found) => {
            after_owner(Owner::found(absent, found, known, world, out), known, world, out)
        }
        sought::Became::Elsewhere(absent, vtep, sequence) => {
            known.routes.insert(world.firm_route(vtep, sequence), true);
            Role::Observer(Remote::learned(absent, vtep))
        }
        sought::Became::Nothing(absent) => Role::Absent(absent),
    }
}

fn after_claimant(became: claimant::Became, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Role {
    match became {
        claimant::Became::Claimant(claimant) => Role::Claimant(claimant),
        claimant::Became::Observer(remote) => after_observer(observer::settle(remote, known, world, out)),
        claimant::Became::Owner(won) => {
            let claimant::Won { local, before, credit, by, because } = won;
            let taken = owner::Taken { local, before: Some(before), credit, because };
            let mut owner = Owner::take_over(taken, known, world, out);
            owner.advertise(known, Some(Migration::Verified { by }), out);
            Role::Owner(owner)
        }
        claimant::Became::Crossed(taken, claimed) => {
            let owner = Owner::take_over(taken, known, world, out);
            after_owner(owner.claimed(claimed, known, world, out), known, world, out)
        }
    }
}
