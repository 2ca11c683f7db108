use crate::counting::counts;

counts! {
    /// `allow` before the password was checked, or without a mark of the stage.
    AskedBefore = "asked_before",
    /// `allow` after the password was found right.
    AskedAfter = "asked_after",
    /// `allow` answered 0, because nothing is known against the client.
    Passed = "passed",
    /// `allow` answered with seconds to wait.
    Tarpitted = "tarpitted",
    /// `allow` answered -1.
    Refused = "refused",
    /// `allow` answered 0 although the decision was `defer`, which the protocol cannot say.
    DeferPassed = "defer_passed",
    /// Reports of a success.
    ReportedOk = "reported_ok",
    /// Reports of a failure that counts as a guess.
    ReportedFailed = "reported_failed",
    /// Reports of a refusal that we decided on.
    ReportedRefused = "reported_refused",
    /// Reports of a failure inside the mail server: a password database that does not answer.
    ReportedOutage = "reported_outage",
    /// Reports of a failure that is no guess: the account has expired or is disabled.
    ReportedNoGuess = "reported_no_guess",
    /// Reports that name neither an address nor a login.
    ReportedNobody = "reported_nobody",
    /// Requests with a field of the wrong type or form, which was taken as absent.
    OddFields = "odd_fields",
    /// Requests whose body is no JSON object.
    NotJson = "not_json",
    /// Requests without the password or header that is asked for.
    Unauthorized = "unauthorized",
    /// Requests for a command that does not exist, or by the wrong method.
    UnknownCommand = "unknown_command",
    /// Commands of weakforced's API that were done.
    ApiDone = "api_done",
    /// Commands of weakforced's API that were not understood, or could not be done.
    ApiFailed = "api_failed",
    /// Reports with a `pwhash` that tells nothing, because the server never saw the password or it was empty.
    ConstantTags = "constant_tags",
    /// Reports with a `pwhash` that cannot be used: no nonce is configured here, or it has another length.
    UnusedTags = "unused_tags",
    /// Questions and reports during which the door panicked; answered neutrally.
    DoorPanics = "door_panics",
}
