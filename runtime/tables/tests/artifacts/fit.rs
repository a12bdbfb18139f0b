//! What the program takes of the chip, from the assembler's `context.json`: a text for people, which is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

/// Blocks of a stage, and containers of a chip (Tofino 1).
const SRAM_PER_STAGE: u64 = 80;
const TCAM_PER_STAGE: u64 = 24;
const STAGES: u64 = 12;

/// Memory blocks by kind.
#[derive(Clone, Copy, Default)]
struct Blocks {
    sram: u64,
    tcam: u64,
    map_ram: u64,
}

impl Blocks {
    fn add(&mut self, other: Self) {
        self.sram += other.sram;
        self.tcam += other.tcam;
        self.map_ram += other.map_ram;
    }

    fn any(self) -> bool {
        self.sram + self.tcam + self.map_ram > 0
    }
}

/// The report.
pub(crate) fn report(context: &Value) -> String {
    let mut text = format!(
        "What vtep_tna.p4 takes of a Tofino 1, by p4c {}.\n\nentries: what the program asks for; blocks: of 1024 words of \
         128 bits (SRAM), 512 words of 44 bits (TCAM)\n\n{:<8} {:<55} {:>8} {:>8} {:>5} {:>5} {:>8}\n",
        string(context, "compiler_version"),
        "gress",
        "table",
        "entries",
        "stages",
        "SRAM",
        "TCAM",
        "map RAM"
    );
    let mut by_stage: BTreeMap<(String, u64), (Blocks, BTreeSet<u64>)> = BTreeMap::new();
    for table in list(&context["tables"]) {
        let stage_tables =
            [&table["match_attributes"]["stage_tables"], &table["stage_tables"]].into_iter().flat_map(list);
        let (mut stages, mut all) = (BTreeSet::new(), Blocks::default());
        for stage_table in stage_tables {
            let Some(stage) = stage_table["stage_number"].as_u64() else { continue };
            let blocks = blocks(stage_table);
            let (of_stage, logical) = by_stage.entry((string(table, "direction"), stage)).or_default();
            of_stage.add(blocks);
            logical.extend(stage_table["logical_table_id"].as_u64());
            all.add(blocks);
            stages.insert(stage);
        }
        let (Some(first), Some(last)) = (stages.first(), stages.last()) else { continue };
        if all.any() {
            let stages = if first == last { first.to_string() } else { format!("{first}-{last}") };
            writeln!(
                text,
                "{:<8} {:<55} {:>8} {:>8} {:>5} {:>5} {:>8}",
                string(table, "direction"),
                string(table, "name"),
                table["size"].as_u64().unwrap_or(0),
                stages,
                all.sram,
                all.tcam,
                all.map_ram
            )
            .expect("a string takes it");
        }
    }
    stages(&mut text, &by_stage);
    containers(&mut text, context);
    text
}

fn stages(text: &mut String, by_stage: &BTreeMap<(String, u64), (Blocks, BTreeSet<u64>)>) {
    write!(
        text,
        "\n{:<6} {:>15} {:>15} {:>13} {:>14} {:>14} {:>12}\n",
        "stage", "ingress tables", "ingress SRAM", "ingress TCAM", "egress tables", "egress SRAM", "egress TCAM"
    )
    .expect("a string takes it");
    let mut sum = Blocks::default();
    for stage in 0..STAGES {
        let of = |gress: &str| by_stage.get(&(gress.to_owned(), stage)).cloned().unwrap_or_default();
        let ((ingress, in_tables), (egress, out_tables)) = (of("ingress"), of("egress"));
        let (in_tables, out_tables) = (in_tables.len(), out_tables.len());
        sum.add(ingress);
        sum.add(egress);
        writeln!(
            text,
            "{stage:<6} {in_tables:>15} {:>15} {:>13} {out_tables:>14} {:>14} {:>12}",
            ingress.sram, ingress.tcam, egress.sram, egress.tcam
        )
        .expect("a string takes it");
    }
    let (sram, tcam) = (SRAM_PER_STAGE * STAGES, TCAM_PER_STAGE * STAGES);
    writeln!(text, "\nSRAM {} of {sram} blocks, TCAM {} of {tcam} blocks", sum.sram, sum.tcam)
        .expect("a string takes it");
}

/// PHV: a chip has 64 containers of 8 bits, 96 of 16 and 64 of 32, and half as many that only pass through.
fn containers(text: &mut String, context: &Value) {
    let mut used: BTreeMap<(u64, String), BTreeSet<u64>> = BTreeMap::new();
    for stage in list(&context["phv_allocation"]) {
        for gress in ["ingress", "egress"] {
            for container in list(&stage[gress]) {
                let (Some(width), Some(number)) =
                    (container["word_bit_width"].as_u64(), container["phv_number"].as_u64())
                else {
                    continue;
                };
                used.entry((width, string(container, "container_type"))).or_default().insert(number);
            }
        }
    }
    text.push_str("\nPHV containers\n");
    for ((width, kind), numbers) in &used {
        let all = if *width == 16 { 96 } else { 64 } / if kind == "tagalong" { 2 } else { 1 };
        writeln!(text, "{width:>2} bits, {kind:<8} {:>3} of {all}", numbers.len()).expect("a string takes it");
    }
}

/// The blocks of a stage table and of all that hangs on it.
fn blocks(value: &Value) -> Blocks {
    let mut sum = Blocks::default();
    match value {
        Value::Object(object) => {
            if let (Some(kind), Some(units)) = (object.get("memory_type"), object.get("memory_units_and_vpns")) {
                let units: usize = list(units).map(|unit| list(&unit["memory_units"]).count()).sum();
                let spare = u64::from(object.contains_key("spare_bank_memory_unit"));
                match kind.as_str() {
                    Some("sram") => sum.sram += units as u64 + spare,
                    // A TCAM names its last unit as spare, and has none.
                    Some("tcam") => sum.tcam += units as u64,
                    Some("map_ram") => sum.map_ram += units as u64,
                    _ => {}
                }
            }
            object.values().for_each(|value| sum.add(blocks(value)));
        }
        Value::Array(values) => values.iter().for_each(|value| sum.add(blocks(value))),
        _ => {}
    }
    sum
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn string(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
