//! Guards of the driver that can be taken out, one in a process, to see what goes wrong without them (`runtime/simulation`).
//!
//! As those of the method (`vouch_mobility`): without the feature `broken-guards`, which no build of the product has, whether one is out is a
//! constant, and nothing is left of the question.

vouch_mobility::guards! {
    /// Something that stands between the driver and a mistake.
    DriverGuard:
    TimeStops, "Task::pause", "the machine's time stands still while its switch cannot be asked";
    TouchIsLost, "Core::lost_touch", "what was asked of a switch that was lost proves nothing";
    Silent, "Task::be_silent", "who is not in charge of its switch speaks for nobody";
    WrittenFirst, "Task::start_round", "peers are told of what has been written";
    MissedEnds, "Task::forget", "a session that has missed something ends";
    LinksUnknown, "Task::gone", "links are unknown when the session that tells of them is over";
    BindingsRestored, "Core::restore", "a restarted agent knows the addresses that its switch has";
    ClaimsRestored, "Core::restore_claims", "a restarted agent takes up the claims that its switch has";
    CopiesBack, "Core::ask_round", "a question has left when the switch has handed its copy back";
    NothingLost, "Checks::is_complete", "silence counts where nothing was lost on the way from the switch";
    Incarnations, "incarnation", "claims of an earlier life of the agent are not its own";
}

/// Whether the guard has been taken out.
#[cfg(not(feature = "broken-guards"))]
pub(crate) const fn is_out(_: DriverGuard) -> bool {
    false
}

#[cfg(feature = "broken-guards")]
static OUT: std::sync::Mutex<Option<DriverGuard>> = std::sync::Mutex::new(None);

/// Whether the guard has been taken out.
#[cfg(feature = "broken-guards")]
pub(crate) fn is_out(guard: DriverGuard) -> bool {
    *OUT.lock().unwrap_or_else(std::sync::PoisonError::into_inner) == Some(guard)
}

/// Takes a guard out of all agents of this process, and puts back the one that was out.
#[cfg(feature = "broken-guards")]
pub fn take_out(guard: Option<DriverGuard>) {
    *OUT.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = guard;
}
