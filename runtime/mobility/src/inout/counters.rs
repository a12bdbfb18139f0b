//! What has been counted since the start. Everything refused is among it.

/// Counters, each with what it means, for people.
#[doc(hidden)]
#[macro_export]
macro_rules! counters {
    ($(#[$about:meta])* pub struct $Name:ident { $( $(#[doc = $meaning:literal])+ $name:ident, )+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $Name {
            $( $(#[doc = $meaning])+ pub $name: u64, )+
        }

        impl $Name {
            /// Each counter: its name, what it means, and what it says.
            pub fn each(&self) -> impl ExactSizeIterator<Item = (&'static str, &'static str, u64)> {
                [$( (stringify!($name), concat!($($meaning),+), self.$name) ),+].into_iter()
            }
        }
    };
}

counters! {
    /// Monotonic counters of one state machine.
    pub struct Counters {
        /// Hosts learned on access interfaces.
        learned,
        /// Hosts forgotten after they were idle and silent, or their port went down.
        removed,
        /// Claims raised by this VTEP, for its own ports as well as towards other owners.
        claims,
        /// Claims taken up as owner from other VTEPs.
        claims_received,
        /// Verifications begun.
        verifications,
        /// Probes sent, one per round however many addresses it asks for.
        probes,
        /// Claims of this VTEP's ports that were refused.
        refused,
        /// Moves this VTEP committed, one per host and event.
        moves,
        /// Announcements not taken up because the same claim was refused just before.
        damped,
        /// Attacks reported.
        attacks,
        /// Frames from quarantined places that still arrived.
        quarantined,
        /// Announcements of a claim that was already pending.
        coalesced,
        /// Claims dropped undecided: their port went down, or the host moved meanwhile.
        abandoned,
        /// Claims that went to policy because the owner was unreachable.
        owner_unreachable,
        /// Messages of claims sent again.
        retries,
        /// Heard with a reserved, multicast or zero address.
        reserved_ignored,
        /// Duplicate address detection seen where it could have passed for a claim.
        dad_ignored,
        /// Events that name a VNI this VTEP does not have.
        unknown_vni,
        /// Events from peers that are not configured for the VNI.
        unknown_peer,
        /// Hosts or claims refused because their port, or the table, was full.
        limited,
        /// IP addresses not learned because the host had enough.
        addresses_limited,
        /// Messages that were out of date.
        stale_messages,
        /// Answers that came from elsewhere than was asked.
        wrong_answers,
        /// Signs of life that nobody was waiting for.
        unasked_answers,
        /// Sync lists that ended with another number of hosts than they had.
        broken_syncs,
        /// Duplicate addresses reported.
        duplicates,
        /// Sequences that reached their end.
        sequences_exhausted,
        /// Inquiries that neither evidence for nor against the claim came to.
        unproven,
        /// Hosts that answered at two places.
        contested,
        /// Requests of waiting hosts that were dropped because enough were held.
        requests_limited,
        /// Requests answered in the name of who has the address.
        requests_answered,
        /// Addresses claimed by another host than the one that has them.
        address_claims,
        /// Such claims that were refused.
        addresses_refused,
        /// Addresses that passed to another host.
        addresses_moved,
        /// Claims taken up again by themselves.
        taken_up_again,
        /// Refusals that there was no room to remember.
        not_remembered,
    }
}
