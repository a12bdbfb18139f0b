//! `p4-switch trace`: what a program does with the packets of a capture.

use std::io::{self, Write};
use std::sync::Arc;

use vouch_switch::{Micros, Output, PacketTrace, Program, Switch, SwitchConfig, Worker};

use crate::Failure;
use crate::arguments::Trace;
use crate::commands::Local;
use crate::packets;

/// Print a trace of each packet. The clock of the switch is that of the capture, from its first packet.
pub(crate) fn trace(arguments: &Trace, out: &mut impl Write) -> Result<(), Failure> {
    let json =
        std::fs::read(&arguments.program).map_err(|error| format!("{}: {error}", arguments.program.display()))?;
    let program = Program::load(&json).map_err(|error| format!("{}: {error}", arguments.program.display()))?;
    let packets = packets::read(&arguments.packets)?;
    let config = SwitchConfig {
        drop_port: arguments.drop_port,
        priority_queues: arguments.priority_queues,
        ..SwitchConfig::default()
    };
    let switch = Switch::new(Arc::new(program), config);
    if let Some(path) = &arguments.entries {
        let named = |error: String| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        Local::new(&switch).carry_out(&text).map_err(named)?;
    }

    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    worker.set_trace(true);
    let first = packets.first().map(|packet| packet.at).unwrap_or_default();
    for (number, packet) in (1..).zip(&packets) {
        let now = Micros(packet.at.saturating_sub(first).as_micros() as u64);
        output.clear();
        switch.process(&mut worker, arguments.port, &packet.frame, now, &mut output);
        let trace = PacketTrace {
            number,
            program: switch.program(),
            port: arguments.port,
            frame: &packet.frame,
            events: &worker.take_trace(),
            drops: output.drops,
        };
        let written = if arguments.json { writeln!(out, "{}", trace.to_json()) } else { writeln!(out, "{trace}") };
        match written {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(())
}
