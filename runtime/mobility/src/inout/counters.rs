//! What has been counted since the start. Everything refused is among it.

/// Counts as a struct of `u64`, each of which can be shown with its name and what it means.
#[doc(hidden)]
#[macro_export]
macro_rules! counters {
    ($(#[$attribute:meta])* pub struct $Name:ident { $($(#[doc = $meaning:literal])+ pub $count:ident: u64,)* }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $Name {
            $($(#[doc = $meaning])+ pub $count: u64,)*
        }

        impl $Name {
            /// Each count: its name, what it means, and the number.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($count), concat!($($meaning),+), self.$count)),*].into_iter()
            }
        }
    };
}

counters! {
    /// Monotonic counters of one state machine.
    pub struct Counters {
        /// Hosts learned on access interfaces.
        pub learned: u64,
        /// Hosts forgotten after they were idle and silent, or their port went down.
        pub removed: u64,
        /// Claims raised by this VTEP, for its own ports as well as towards other owners.
        pub claims: u64,
        /// Claims taken up as owner from other VTEPs.
        pub claims_received: u64,
        /// Verifications begun.
        pub verifications: u64,
        /// Probes sent, one per round however many addresses it asks for.
        pub probes: u64,
        /// Claims of this VTEP's ports that were refused.
        pub refused: u64,
        /// Moves this VTEP committed, one per host and event.
        pub moves: u64,
        /// Announcements not taken up because the same claim was refused just before.
        pub damped: u64,
        /// Attacks reported.
        pub attacks: u64,
        /// Frames from quarantined places that still arrived.
        pub quarantined: u64,
        /// Announcements of a claim that was already pending.
        pub coalesced: u64,
        /// Claims dropped undecided: their port went down, or the host moved meanwhile.
        pub abandoned: u64,
        /// Claims that went to policy because the owner was unreachable.
        pub owner_unreachable: u64,
        /// Messages of claims sent again.
        pub retries: u64,
        /// Heard with a reserved, multicast or zero address.
        pub reserved_ignored: u64,
        /// Duplicate address detection seen where it could have passed for a claim.
        pub dad_ignored: u64,
        /// Events that name a VNI this VTEP does not have.
        pub unknown_vni: u64,
        /// Events from peers that are not configured for the VNI.
        pub unknown_peer: u64,
        /// Hosts or claims refused because their port, or the table, was full.
        pub limited: u64,
        /// IP addresses not learned because the host had enough.
        pub addresses_limited: u64,
        /// Messages that were out of date.
        pub stale_messages: u64,
        /// Answers that came from elsewhere than was asked.
        pub wrong_answers: u64,
        /// Signs of life that nobody was waiting for.
        pub unasked_answers: u64,
        /// Sync lists that ended with another number of hosts than they had.
        pub broken_syncs: u64,
        /// Duplicate addresses reported.
        pub duplicates: u64,
        /// Sequences that reached their end.
        pub sequences_exhausted: u64,
        /// Inquiries that neither evidence for nor against the claim came to.
        pub unproven: u64,
        /// Hosts that answered at two places.
        pub contested: u64,
        /// Requests of waiting hosts that were dropped because enough were held.
        pub requests_limited: u64,
        /// Requests answered in the name of who has the address.
        pub requests_answered: u64,
        /// Addresses claimed by another host than the one that has them.
        pub address_claims: u64,
        /// Such claims that were refused.
        pub addresses_refused: u64,
        /// Addresses that passed to another host.
        pub addresses_moved: u64,
        /// Claims taken up again by themselves.
        pub taken_up_again: u64,
        /// Refusals that there was no room to remember.
        pub not_remembered: u64,
    }
}
