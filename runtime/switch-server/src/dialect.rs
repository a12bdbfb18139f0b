//! Which P4Runtime is spoken: the specification's, or that of PI, BMv2's server.
//!
//! PI deviates from the specification. Controllers that were written against BMv2 may have come to count on that, so that
//! a switch that takes BMv2's place can be told to do the same. Each deviation has its name here; what is not here follows
//! the specification in both dialects, where no client can be the worse for it: default actions are not hidden from those
//! who ask for them, nor are registers and value sets refused.

/// The dialect of a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// P4Runtime 1.5.
    #[default]
    Specification,
    /// PI's, as of BMv2 1.15.
    Bmv2,
}

impl Dialect {
    fn is_bmv2(self) -> bool {
        self == Dialect::Bmv2
    }

    /// All streams contend for one election, whatever role they name.
    pub(crate) fn ignores_roles(self) -> bool {
        self.is_bmv2()
    }

    /// When the primary leaves, the backup with the highest election id takes its place without asking.
    pub(crate) fn promotes_backups(self) -> bool {
        self.is_bmv2()
    }

    /// An election id that is not there is 0, with which a stream can be primary as well.
    pub(crate) fn counts_missing_ids(self) -> bool {
        self.is_bmv2()
    }

    /// As long as there is no stream, requests without an election id do what only a primary could.
    pub(crate) fn trusts_whoever_is_alone(self) -> bool {
        self.is_bmv2()
    }

    /// Batches of updates are never atomic.
    pub(crate) fn refuses_atomicity(self) -> bool {
        self.is_bmv2()
    }

    /// The first mistake of a read request is the status of the whole read, and nothing is read.
    pub(crate) fn fails_reads_whole(self) -> bool {
        self.is_bmv2()
    }

    /// A read is answered by one message, however long.
    pub(crate) fn reads_in_one_message(self) -> bool {
        self.is_bmv2()
    }

    /// A direct counter or meter that is read by its entry comes with the entry as the request has it, action and all.
    pub(crate) fn echoes_entries(self) -> bool {
        self.is_bmv2()
    }

    /// Reading a multicast group or clone session that is not there is an error.
    pub(crate) fn needs_replication_to_read(self) -> bool {
        self.is_bmv2()
    }

    /// Asking for the pipeline before there is one is an error.
    pub(crate) fn needs_pipeline_to_show(self) -> bool {
        self.is_bmv2()
    }

    /// Packet-outs may leave metadata out, which is then zero.
    pub(crate) fn fills_metadata(self) -> bool {
        self.is_bmv2()
    }

    /// The sizes of groups count members, and are not checked beyond that.
    pub(crate) fn counts_members(self) -> bool {
        self.is_bmv2()
    }
}
