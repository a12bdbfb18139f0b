//! Counters, meters and registers: cells that packets write.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bits;
use crate::ids::Micros;
use crate::types::{CounterData, MeterColors, MeterConfig, MeterUnit};

/// Packets and bytes.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    pub(crate) fn add(&self, bytes: u32) {
        self.packets.fetch_add(1, Relaxed);
        self.bytes.fetch_add(u64::from(bytes), Relaxed);
    }

    pub(crate) fn get(&self) -> CounterData {
        CounterData { packets: self.packets.load(Relaxed), bytes: self.bytes.load(Relaxed) }
    }

    pub(crate) fn set(&self, data: CounterData) {
        self.packets.store(data.packets, Relaxed);
        self.bytes.store(data.bytes, Relaxed);
    }
}

/// The colour a meter gives a packet, in v1model's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    Green = 0,
    Yellow = 1,
    Red = 2,
}

/// A two-rate three-colour meter, colour-blind (RFC 2698 section 3), with a counter for each colour.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    buckets: Mutex<Option<Buckets>>,
    /// By the colours' numbers.
    colors: [Counter; 3],
}

#[derive(Debug)]
struct Buckets {
    config: MeterConfig,
    committed: u64,
    peak: u64,
    /// Tokens that the two rates had given out by the last update, counted from time 0: no rounding adds up.
    given: (u64, u64),
}

impl Meter {
    pub(crate) fn config(&self) -> Option<MeterConfig> {
        lock(&self.buckets).as_ref().map(|buckets| buckets.config)
    }

    pub(crate) fn colors(&self) -> MeterColors {
        let [green, yellow, red] = self.colors.each_ref().map(Counter::get);
        MeterColors { green, yellow, red }
    }

    pub(crate) fn set_colors(&self, colors: MeterColors) {
        for (counter, data) in self.colors.iter().zip([colors.green, colors.yellow, colors.red]) {
            counter.set(data);
        }
    }

    /// Sets the rates and fills both buckets. The counters go on.
    pub(crate) fn configure(&self, config: Option<MeterConfig>) {
        *lock(&self.buckets) =
            config.map(|config| Buckets { config, committed: config.cburst, peak: config.pburst, given: (0, 0) });
    }

    /// The colour of a packet, which is counted.
    pub(crate) fn execute(&self, unit: MeterUnit, bytes: u32, now: Micros) -> Color {
        let color = self.color(unit, bytes, now);
        self.colors[color as usize].add(bytes);
        color
    }

    fn color(&self, unit: MeterUnit, bytes: u32, now: Micros) -> Color {
        let mut guard = lock(&self.buckets);
        let Some(buckets) = guard.as_mut() else { return Color::Green };
        let cost = match unit {
            MeterUnit::Packets => 1,
            MeterUnit::Bytes => u64::from(bytes),
        };
        let given = (tokens(buckets.config.cir, now), tokens(buckets.config.pir, now));
        let refill = |level: u64, given: u64, before: u64, burst: u64| {
            level.saturating_add(given.saturating_sub(before)).min(burst)
        };
        buckets.committed = refill(buckets.committed, given.0, buckets.given.0, buckets.config.cburst);
        buckets.peak = refill(buckets.peak, given.1, buckets.given.1, buckets.config.pburst);
        buckets.given = given;
        if buckets.peak < cost {
            return Color::Red;
        }
        buckets.peak -= cost;
        if buckets.committed < cost {
            return Color::Yellow;
        }
        buckets.committed -= cost;
        Color::Green
    }
}

fn tokens(per_second: u64, now: Micros) -> u64 {
    u64::try_from(u128::from(per_second) * u128::from(now.0) / 1_000_000).unwrap_or(u64::MAX)
}

/// An array of registers, all of one width.
#[derive(Debug)]
pub(crate) struct Registers {
    pub(crate) size: u64,
    pub(crate) bits: u32,
    cells: Mutex<Vec<u64>>,
}

impl Registers {
    pub(crate) fn new(size: u64, bits: u32) -> Self {
        Self { size, bits, cells: Mutex::new(vec![0; size as usize * bits::limbs(bits)]) }
    }

    /// Lets `with` see a cell; `None` outside the array.
    pub(crate) fn read<T>(&self, index: u64, with: impl FnOnce(&[u64], u32) -> T) -> Option<T> {
        let limbs = bits::limbs(self.bits);
        (index < self.size).then(|| with(&lock(&self.cells)[index as usize * limbs..][..limbs], self.bits))
    }

    /// Writes a cell, cut to the width; nothing happens outside the array.
    pub(crate) fn write(&self, index: u64, limb: impl Fn(usize) -> u64) -> bool {
        if index >= self.size {
            return false;
        }
        let limbs = bits::limbs(self.bits);
        let cells = &mut lock(&self.cells)[index as usize * limbs..][..limbs];
        for (at, cell) in cells.iter_mut().enumerate() {
            *cell = limb(at);
        }
        bits::truncate(cells, self.bits);
        true
    }
}

/// A poisoned lock means that a thread panicked between two assignments; the numbers are still numbers.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors(config: MeterConfig, unit: MeterUnit, packets: &[(u64, u32)]) -> Vec<Color> {
        let meter = Meter::default();
        meter.configure(Some(config));
        packets.iter().map(|(at, bytes)| meter.execute(unit, *bytes, Micros(*at))).collect()
    }

    #[test]
    fn bursts_are_green_then_yellow_then_red() {
        use Color::{Green, Red, Yellow};
        let config = MeterConfig { cir: 1, cburst: 2, pir: 2, pburst: 4 };
        assert_eq!(colors(config, MeterUnit::Packets, &[(0, 0); 5]), [Green, Green, Yellow, Yellow, Red]);
    }

    #[test]
    fn buckets_refill_with_time() {
        use Color::{Green, Red, Yellow};
        let config = MeterConfig { cir: 1, cburst: 1, pir: 2, pburst: 1 };
        let packets = [(0, 0), (1, 0), (500_000, 0), (1_000_000, 0)];
        assert_eq!(colors(config, MeterUnit::Packets, &packets), [Green, Red, Yellow, Green]);
    }

    #[test]
    fn bytes_cost_their_number() {
        use Color::{Green, Red};
        let config = MeterConfig { cir: 1000, cburst: 1500, pir: 1000, pburst: 1500 };
        let packets = [(0, 1500), (1_000_000, 1001), (1_000_000, 1000)];
        assert_eq!(colors(config, MeterUnit::Bytes, &packets), [Green, Red, Green]);
    }

    #[test]
    fn each_colour_is_counted_with_and_without_rates() {
        let counted = |packets, bytes| CounterData { packets, bytes };
        let meter = Meter::default();
        meter.execute(MeterUnit::Packets, 5, Micros(0));
        meter.configure(Some(MeterConfig { cir: 1, cburst: 1, pir: 1, pburst: 2 }));
        for bytes in [10, 20, 30, 40] {
            meter.execute(MeterUnit::Packets, bytes, Micros(0));
        }
        let colors = MeterColors { green: counted(2, 15), yellow: counted(1, 20), red: counted(2, 70) };
        assert_eq!(meter.colors(), colors);
        meter.set_colors(MeterColors { red: counted(1, 1), ..MeterColors::default() });
        assert_eq!(meter.colors(), MeterColors { red: counted(1, 1), ..MeterColors::default() });
    }

    #[test]
    fn without_rates_everything_is_green() {
        assert_eq!(Meter::default().execute(MeterUnit::Bytes, 9000, Micros(0)), Color::Green);
    }
}
