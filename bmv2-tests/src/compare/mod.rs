//! BMv2 and the embedded switch side by side, in one run on one machine: throughput at overload, the highest rate without loss,
//! latency, and the rate of P4Runtime writes.
//!
//! ```text
//!                      this process                                a switch's process
//!   generator ── g1 ═══════ veth pair ═══════ s1 ── port 1 ┐
//!    counters ── g2 ═══════ veth pair ═══════ s2 ── port 2 ┘   (and the other way round)
//! ```
//!
//! Every switch gets the same program, the same entries and the same frames through the same two veth pairs from the same
//! generator (`traffic`), one switch after the other. What comes out is counted by the kernel at the far end, which costs
//! the same for all and is nobody's bottleneck; the column `wire` has what the generator achieves where no switch stands
//! behind the first pair. Before anything is measured, what comes out has to be what the packet engine makes of the
//! same frame, byte for byte.
//!
//! The generator keeps off the processors of the switch (`processors`).
//!
//! No process boundary and no socket is between a packet and BMv2's pipeline when it reads capture files (`files`): that is
//! what the packet engine in this process (`engine`) is compared with, both for all of BMv2's threads and for
//! each second of processor time that it takes.

mod contestant;
mod engine;
mod files;
mod processors;
mod run;
mod table;
mod traffic;
mod workload;
mod writes;

pub use contestant::Contestant;
pub use processors::Processors;
pub use run::{Failure, Options, Part, run};
pub use table::{Column, Report, Row};
