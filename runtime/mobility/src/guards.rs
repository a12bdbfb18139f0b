//! Guards that can be taken out, one at a time, to see what goes wrong without them (`runtime/proof`).
//!
//! Each stands at one place of the method, which asks [`is_out`] first. Without the feature `broken-guards`, which no build of the product has, the
//! answer is a constant, and nothing is left of the question.

/// The guards of a crate, which has the feature `broken-guards`, too: their type, where each stands, and what it says.
#[doc(hidden)]
#[macro_export]
macro_rules! guards {
    ($(#[$attribute:meta])* $guard:ident: $($name:ident, $place:literal, $words:literal;)*) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(not(feature = "broken-guards"), allow(unreachable_pub, reason = "told to nobody"))]
        pub enum $guard {
            $(#[doc = $words] $name,)*
        }

        #[cfg(feature = "broken-guards")]
        impl $guard {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Where it stands.
            pub const fn place(self) -> &'static str {
                match self {
                    $(Self::$name => $place,)*
                }
            }

            /// What it says.
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

guards! {
    /// Something that stands between the method and a mistake.
    Guard:
    AnswerExpected, "Question::checked", "silence counts where an answer was to be expected";
    RoundsLeft, "Question::has_left_enough", "only rounds that have left the switch count";
    RoundsDiffer, "Question::has_left", "rounds count, not confirmations";
    AllHeard, "Question::checked", "silence counts where no answer can have been lost";
    MuteIsKnown, "Addresses::is_mute", "hosts that do not answer are not expected to";
    MuteIsFoundOut, "Addresses::confirm", "whether it answers is asked anew at a new place";
    MuteIsRemembered, "Mobility::bind", "that a host is mute is known after a restart";
    Probation, "Stay::must_yield_to_answers_of", "a new place is on probation";
    AllKnown, "OnlyAnswer::of", "of several places, the only one that answers has the host once all others are known";
    FirstDecidesNothing, "Inquiry::decide_of_none", "being first decides nothing";
    PeersWord, "Owner::answered", "what a peer says of its place counts, not an answer out of its tunnel";
    ExpectedElsewhere, "Inquiry::is_expected_elsewhere", "while a move is announced, other claims wait for it";
    TakenUpAgain, "Mobility::remember", "what is damped is taken up again by itself";
    Episodes, "damping::Memory::hears", "episodes count towards an attack, not refusals";
    TakenUpIsNotNew, "damping::Memory::hears", "what is taken up again begins no episode";
    TakenUpIsNoLife, "Mobility::take_up_again", "what is taken up again is no sign of life";
    AddressesAreKept, "damping::Memory::names", "what is taken up again has the addresses that it named";
    HigherIsAnother, "Owner::claimed", "a refused claim with a higher sequence is another claim";
    OutrankedIsStale, "Owner::claimed", "a claim that does not outrank the owner's entry catches up first";
    HolderHandsOver, "observer::withdrawn", "only who had a host hands it over";
    DadIsNoHost, "Owner::learn", "duplicate address detection makes no host";
    DadIsNoClaim, "admit", "duplicate address detection is no claim";
    LinkUnknown, "Mobility::handle", "a link is down only while the switch says so";
    Shares, "Shares::room", "nobody fills what others need";
    Young, "host::if_absent", "a VTEP that has just started gives nothing away unasked";
    Forgotten, "host::if_absent", "whoever is heard before the peers have told need not be the host";
    ElsewhereHere, "Owner::may_be_elsewhere_here", "a host that a peer remembers here is looked for, whoever was heard first";
    ElsewhereAnywhere, "Owner::may_be_anywhere", "and one that a peer has";
    OnlyOnProbation, "Stay::is_unheard_of", "but not when it has been here for long";
    AnsweredPeer, "Sought::decide", "a peer that is answered has the host before one that was only heard first";
    AnsweredRival, "Stay::may_have_been_anywhere", "also while it is weighed";
    PolicyGoesBack, "Stay::is_by_policy", "what was taken by policy goes back on evidence";
    GivenAfterwards, "Stay::given_by", "what was taken by policy and is given afterwards is not asked for again";
    TakenIsHeld, "Claimant::claimed", "who has taken the host by policy has it, though it asks for it";
    NamedSince, "Sought::advance", "and it is asked for the addresses that it has by now";
    AgedNowhere, "Inquiry::decide_of_none", "a host that is aged, and answers nowhere, is gone";
    OtherQuestions, "Inquiry::was_repeated", "answers to earlier questions are no measure of the next";
    SlowAfterRestart, "Addresses::restored", "a host that was known before a restart may be a slow one";
    AnswersAfterAll, "Known::answers_after_all", "an answer after the verdict is a claim";
    FollowsHome, "claimant::Claimant::answered", "an answer where the host was outweighs a claim by another port";
    HeardOut, "claimants::Claimant::heard_out_at", "who had the host for long is heard out";
    Patience, "Known::patience_at", "and asked for as long as it takes";
    KnownBeforeRestart, "Sought::answered", "who had the host before who has it is not refused by who has forgotten";
    HowLate, "Inquiry::is_late_by", "how late an answer is, is learned";
    RefusalOfAnother, "claimant::Claimant::told", "the refusal of one claim is not that of another";
    AddressOnProof, "Owner::dispute_ended", "an address is given up on proof only";
    AddressIsAnothers, "Mobility::heard", "an announcement takes no address from its holder";
    ReplyToThis, "claimant::Claimant::replied", "only the reply to this claim counts";
    OldNews, "Routes::insert", "older news changes nothing";
    AtOnceIsNoVerdict, "Owner::told", "nothing is given on a claim that is told at once";
    CertainOnly, "observer::usable", "who passes traffic on follows only what is certain";
    Declined, "observer::reply_without_claim", "who is given a host that it does not claim says so";
    WholeLists, "Peers::list_ends", "a list with a gap deletes nothing";
    Wait, "Mobility::list_ended", "what a list leaves out is not gone at once";
    Withheld, "World::somebody_withholds", "who is heard while a peer is out of use may be that peer's host";
    NotGivenUp, "Mobility::may_be_withheld", "who is out of use decides about claims as ever";
    ToldAgain, "Owner::refuse", "who is out of use tells of a host again that is here though somebody else has it";
}

/// Whether the guard has been taken out.
#[cfg(not(feature = "broken-guards"))]
pub(crate) const fn is_out(_: Guard) -> bool {
    false
}

#[cfg(feature = "broken-guards")]
thread_local! {
    static OUT: std::cell::Cell<Option<Guard>> = const { std::cell::Cell::new(None) };
}

/// Whether the guard has been taken out.
#[cfg(feature = "broken-guards")]
pub(crate) fn is_out(guard: Guard) -> bool {
    OUT.get() == Some(guard)
}

/// Does something with machines from which a guard has been taken out, on this thread.
#[cfg(feature = "broken-guards")]
pub fn without<T>(guard: Option<Guard>, run: impl FnOnce() -> T) -> T {
    let before = OUT.replace(guard);
    let result = run();
    OUT.set(before);
    result
}
