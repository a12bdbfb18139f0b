//! The fabric as a picture in text, drawn from its topology.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use vouch_net::Vni;

use super::Style;
use crate::topology::{ATTACKER, Topology};

/// Width of one VTEP with what is below it.
const COLUMN: usize = 22;
/// Width of a VTEP's box, frame included; odd, so that it has a middle.
const BOX: usize = 15;
/// Room for the VNI's name at the left.
const MARGIN: usize = 10;

/// Draw a fabric whose VTEPs all hang off one switch that only routes.
pub fn picture(topology: &Topology, style: Style) -> String {
    let vteps: Vec<_> = topology.vteps().collect();
    let mut text = String::new();
    let spines = topology.switches.iter().filter(|switch| switch.vtep.is_none());
    let spine: Vec<&str> = spines.map(|switch| switch.name.as_str()).collect();

    let middle = |column: usize| MARGIN + column * COLUMN + COLUMN / 2;
    let centre = (middle(0) + middle(vteps.len().saturating_sub(1))) / 2;
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:1$}{2}", "", centre - BOX / 2, frame('┌', '─', '┐'));
    let _ = writeln!(
        text,
        "{:1$}│{2:^3$}│   the same P4 program, as a plain router",
        "",
        centre - BOX / 2,
        spine.join(", "),
        BOX - 2
    );
    let _ = writeln!(text, "{:1$}{2}", "", centre - BOX / 2, frame('└', '┬', '┘'));
    text.push_str(&bus(&(0..vteps.len()).map(middle).collect::<Vec<_>>(), centre));
    for row in [
        |_: &str, _: String| frame('┌', '┴', '┐'),
        |name: &str, _: String| format!("│{name:^0$}│", BOX - 2),
        |_: &str, address: String| format!("│{address:^0$}│", BOX - 2),
        |_: &str, _: String| frame('└', '┬', '┘'),
    ] {
        let cells = vteps.iter().map(|(switch, address)| row(&switch.name, address.to_string()));
        line(&mut text, "", cells.map(|cell| (cell.clone(), cell)));
    }
    for vni in topology.guests.iter().map(|guest| guest.vni).collect::<BTreeSet<_>>() {
        hosts(&mut text, topology, vni, style);
    }
    text
}

/// The hosts of one VNI, each below its VTEP.
fn hosts(text: &mut String, topology: &Topology, vni: Vni, style: Style) {
    let columns: Vec<Vec<(String, String)>> = topology
        .vteps()
        .map(|(switch, _)| {
            let here = topology.guests.iter().filter(|guest| guest.vni == vni && guest.seat.switch == switch.name);
            here.map(|guest| {
                let plain = format!("{} {}", guest.host.name, guest.host.ipv4);
                let painted = if guest.host.name == ATTACKER { style.bad(&plain) } else { plain.clone() };
                (plain, painted)
            })
            .collect()
        })
        .collect();
    let rows = columns.iter().map(Vec::len).max().unwrap_or_default();
    for row in 0..rows {
        let label = if row == 0 { format!("VNI {vni}") } else { String::new() };
        let cell = |column: &Vec<(String, String)>| column.get(row).cloned().unwrap_or_default();
        line(text, &label, columns.iter().map(cell));
    }
}

/// One line of cells, each centred in its column. A cell comes plain, for its width, and painted.
fn line(text: &mut String, label: &str, cells: impl Iterator<Item = (String, String)>) {
    let mut line = format!("{label:<MARGIN$}");
    for (plain, painted) in cells {
        let free = COLUMN.saturating_sub(plain.chars().count());
        // A box is odd and a column is even: the extra blank stands left, so that middles stand below each other.
        let left = free.div_ceil(2);
        let _ = write!(line, "{:left$}{painted}{:right$}", "", "", right = free - left);
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn frame(left: char, middle: char, right: char) -> String {
    let side = "─".repeat((BOX - 3) / 2);
    format!("{left}{side}{middle}{side}{right}")
}

/// The line that leads from the spine to every VTEP.
fn bus(middles: &[usize], centre: usize) -> String {
    let (Some(first), Some(last)) = (middles.first(), middles.last()) else { return String::new() };
    let mut line: Vec<char> = vec![' '; last + 1];
    for (at, cell) in line.iter_mut().enumerate().skip(*first) {
        let down = middles.contains(&at);
        *cell = match (at == *first, at == *last, down, at == centre) {
            (true, _, _, _) => '┌',
            (false, true, _, _) => '┐',
            (false, false, true, true) => '┼',
            (false, false, true, false) => '┬',
            (false, false, false, true) => '┴',
            (false, false, false, false) => '─',
        };
    }
    let mut text: String = line.into_iter().collect();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_fabric_is_drawn_with_everybody_in_it() {
        let topology = Topology::demo();
        let text = picture(&topology, Style { color: false });
        for switch in &topology.switches {
            assert!(text.contains(&switch.name), "{text}");
        }
        for guest in &topology.guests {
            assert!(text.contains(&format!("{} {}", guest.host.name, guest.host.ipv4)), "{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(!text.contains('\x1b'));
    }
}
