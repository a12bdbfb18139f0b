//! What became of migrations, for people.

use std::fmt;
use std::time::Duration;

use super::{Migration, Mode, Scene};
use crate::beside::table::spread;

/// How long the fabric may hold up a machine that answers, in `escalate`: the goal is 15 ms. Packets are 5 ms apart, and the
/// machine that measures may be busy.
const BRIEF: Duration = Duration::from_millis(45);

/// The columns' names.
pub const HEADER: &str = "\
    | switches | during a verification | who claims it | migrations | QEMU's downtime | stopped until it goes on | ours | it answers after | \
    lost since it went on | seen by the attacker | taken |\n|---|---|---|---|---|---|---|---|---|---|---|";

/// A played scene.
#[derive(Debug)]
pub struct Line<'a> {
    /// What the switches were.
    pub target: &'static str,
    /// What was played.
    pub scene: Scene,
    /// What became of it.
    pub migrations: &'a [Migration],
}

impl Line<'_> {
    /// What must not be, and is. Times are judged only if they say something, on a machine that does nothing else.
    pub fn problems(&self, timed: bool) -> Vec<String> {
        let mut problems = Vec::new();
        for (round, it) in (1..).zip(self.migrations) {
            problems.extend(it.taken.iter().map(|what| format!("migration {round}: taken: {what}")));
            problems.extend(it.wrong.iter().map(|what| format!("migration {round}: {what}")));
        }
        // Of the middle one: a machine with better things to do stalls some.
        let Scene { mode, attack, .. } = self.scene;
        if !timed || attack.takes_a_pause() {
            return problems;
        }
        let ours = middle(self.migrations.iter().map(|it| it.ours)).unwrap_or_default();
        if mode == Mode::Escalate && ours > BRIEF {
            problems.push(format!("a migration is held up for {:.0} ms", milliseconds(ours)));
        }
        let missed = middle(self.migrations.iter().map(|it| it.missed)).unwrap_or_default();
        if matches!(mode, Mode::Both | Mode::Announced) && missed > 0 {
            problems.push(format!("{missed} packets do not reach the machine"));
        }
        problems
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scene { mode, attack, .. } = self.scene;
        let of = |figure: &dyn Fn(&Migration) -> f64| spread(self.migrations.iter().map(figure), 0);
        let taken = self.migrations.iter().filter(|it| !it.taken.is_empty()).count();
        write!(
            f,
            "| {} | {} | {} | {} | {} ms | {} ms | {} ms | {} ms | {} | {} | {taken} |",
            self.target,
            mode.name(),
            attack.name(),
            self.migrations.len(),
            of(&|it| it.downtime as f64),
            of(&|it| milliseconds(it.away)),
            of(&|it| milliseconds(it.ours)),
            of(&|it| milliseconds(it.answers)),
            of(&|it| it.missed as f64),
            of(&|it| it.strayed as f64),
        )
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn middle<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Attack;

    fn problems(mode: Mode, attack: Attack, timed: bool, migration: Migration) -> Vec<String> {
        let scene = Scene { mode, attack, rounds: 1, pause: None };
        Line { target: "p4-switch", scene, migrations: &[migration] }.problems(timed)
    }

    #[test]
    fn what_is_taken_or_late_is_a_problem() {
        let late = Migration { ours: Duration::from_millis(60), missed: 12, ..Migration::default() };
        let taken = Migration { taken: vec!["vtep1 has vm1 at port 2".to_owned()], ..late.clone() };
        let told = |mode, attack, timed| problems(mode, attack, timed, late.clone()).join("; ");
        assert_eq!(told(Mode::Escalate, Attack::Never, true), "a migration is held up for 60 ms");
        assert_eq!(told(Mode::Both, Attack::Stays, true), "12 packets do not reach the machine");
        assert_eq!(told(Mode::Announced, Attack::Never, true), "12 packets do not reach the machine");
        assert_eq!(told(Mode::Hold, Attack::Never, true), "");
        assert_eq!(told(Mode::Escalate, Attack::Paused, true), "");
        assert_eq!(told(Mode::Escalate, Attack::Never, false), "");
        let wrong = problems(Mode::Hold, Attack::Beside, false, taken);
        assert_eq!(wrong, ["migration 1: taken: vtep1 has vm1 at port 2"]);
    }
}
