//! A scene as a model for `stateright`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stateright::{Model, Property as Stated};
use vouch_mobility::{Guard, without};

use crate::act::Act;
use crate::scene::Scene;
use crate::watch::{Happening, Property};
use crate::world::World;

/// A scene, with machines from which a guard may have been taken out.
#[derive(Debug, Clone)]
pub struct Play {
    /// The scene.
    pub scene: Scene,
    /// The guard that is out.
    pub without: Option<Guard>,
    begin: Arc<World>,
    /// What has happened anywhere.
    seen: Arc<AtomicU32>,
}

impl Play {
    /// From the beginning.
    pub fn new(scene: Scene, out: Option<Guard>) -> Self {
        let begin = Arc::new(without(out, || World::settled(&scene)));
        Self { scene, without: out, begin, seen: Arc::default() }
    }

    /// What has happened anywhere.
    pub fn seen(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.seen)
    }

    /// Where it begins.
    pub fn begin(&self) -> &World {
        &self.begin
    }

    /// What comes of it.
    pub fn after(&self, world: &World, act: Act) -> Option<World> {
        let mut next = world.clone();
        let done = without(self.without, || catch_unwind(AssertUnwindSafe(|| next.act(&self.scene, act))));
        let changed = match done {
            Ok(changed) => changed,
            Err(panic) => {
                next = world.clone();
                let what = panic.downcast_ref::<String>().map(String::as_str);
                let what = what.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                next.ghosts.panicked(what);
                true
            }
        };
        self.seen.fetch_or(next.ghosts.happened, Ordering::Relaxed);
        changed.then_some(next)
    }
}

macro_rules! always {
    ($($property:ident),*) => {
        vec![$(Stated::always(Property::$property.words(), |_, world: &World| {
            world.ghosts.violation.as_ref().is_none_or(|violation| violation.property != Property::$property)
        })),*]
    };
}

impl Model for Play {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![(*self.begin).clone()]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        world.acts(&self.scene, acts);
    }

    fn next_state(&self, world: &World, act: Act) -> Option<World> {
        self.after(world, act)
    }

    fn format_action(&self, act: &Act) -> String {
        act.to_string()
    }

    fn properties(&self) -> Vec<Stated<Self>> {
        let mut properties: Vec<Stated<Self>> = always![
            KeepsEntry,
            KeepsTraffic,
            HoldShowsNobody,
            NoLoops,
            OneOwner,
            Evidence,
            Bounds,
            KeepsAddress,
            Blameless,
            Reached,
            Agreement,
            Rest
        ];
        // Never true, so that the search does not end because everything has been found.
        properties.push(Stated::sometimes("everything has been tried", |_, _| false));
        properties
    }
}

/// What has happened, of all that can.
pub(crate) fn happenings(seen: u32) -> Vec<Happening> {
    Happening::ALL.iter().copied().filter(|happening| seen & happening.bit() != 0).collect()
}
