//! Which P4Runtime is spoken: the specification's, or that of PI, BMv2's server.
//!
//! PI deviates from the specification. Controllers that were written against BMv2 may have come to count on that, so that
//! a switch that takes BMv2's place can be told to do the same. Each deviation has its name here; what is not here follows
//! the specification in both dialects, where no client can be the worse for it: default actions are not hidden from those
//! who ask for them, nor are registers, value sets and writes of all cells of an array refused.
//!
//! Refusals about counters and meters are told by PI's codes and in its words (`about_...`), which are what scripts for BMv2 look for.

use tonic::Code;

use crate::entity::Operation;
use crate::fault::Fault;

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

    /// To delete a counter is to reset it.
    pub(crate) fn deletes_counters(self) -> bool {
        self.is_bmv2()
    }

    /// Meters whose rates and bursts are all -1 have none.
    pub(crate) fn has_rates_without_limit(self) -> bool {
        self.is_bmv2()
    }

    /// The time since an entry's last hit is its timeout without the milliseconds that are left of it: at most the timeout, and 0 where
    /// there is none.
    pub(crate) fn counts_down(self) -> bool {
        self.is_bmv2()
    }

    /// A refusal about the id of a table, counter or meter.
    pub(crate) fn about_id(self, fault: Fault) -> Fault {
        self.or(fault, Code::InvalidArgument, "Invalid P4 id")
    }

    /// One about the index of a cell; `beyond` is what is said of an index beyond the end.
    pub(crate) fn about_index(self, fault: Fault, beyond: &str) -> Fault {
        match fault.code {
            Code::OutOfRange => self.or(fault, Code::Unknown, beyond),
            _ => self.or(fault, Code::InvalidArgument, "A negative number is not a valid index value"),
        }
    }

    /// One about what an update does to `kind`, of which there are many.
    pub(crate) fn about_operation(self, fault: Fault, operation: Operation, kind: &str) -> Fault {
        let update = match operation {
            Operation::Insert => "INSERT",
            Operation::Modify => "MODIFY",
            Operation::Delete => "DELETE",
        };
        self.or(fault, Code::InvalidArgument, format!("{update} update type not supported for {kind}"))
    }

    /// One of an entry whose table has no direct resource of this kind.
    pub(crate) fn about_missing(self, fault: Fault, kind: &str) -> Fault {
        self.or(fault, Code::InvalidArgument, format!("Table has no direct {kind}"))
    }

    /// One of a message `kind` without an entry.
    pub(crate) fn about_no_entry(self, fault: Fault, kind: &str) -> Fault {
        self.or(fault, Code::InvalidArgument, format!("Missing table_entry field in {kind}"))
    }

    /// One about an entry that may not be there.
    pub(crate) fn about_entry(self, fault: Fault) -> Fault {
        match fault.code {
            Code::NotFound => self.or(fault, Code::InvalidArgument, "Cannot map table entry to handle"),
            _ => fault,
        }
    }

    fn or(self, fault: Fault, code: Code, message: impl Into<String>) -> Fault {
        if self.is_bmv2() { Fault { code, message: message.into() } } else { fault }
    }
}
