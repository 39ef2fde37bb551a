//! Broken copies that the rules of alarms catch.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
    (
        "Resources/OnFailureAlarm",
        "-",
        "ApproximateNumberOfMessagesVisible of OnFailureQueue has no alarm",
    ),
    (
        "Resources/DeadLetterAlarm",
        "-",
        "ApproximateNumberOfMessagesVisible of DeadLetterQueue has no alarm",
    ),
    (
        "Resources/BufferAlarm",
        "-",
        "ApproximateAgeOfOldestMessage of BufferQueue has no alarm",
    ),
    (
        "Resources/RealtimeLostAlarm",
        "-",
        "DestinationDeliveryFailures of Realtime has no alarm",
    ),
    (
        "Resources/SweepAlarm/Properties/TreatMissingData",
        "notBreaching",
        "SweepAlarm without data is notBreaching, must be breaching",
    ),
    (
        "Resources/UnreadAlarm",
        "-",
        "ApproximateAgeOfOldestMessage of Queue has no alarm",
    ),
    (
        "Resources/RuleLostAlarm",
        "-",
        "InvocationsFailedToBeSentToDlq of ChangesRule has no alarm",
    ),
    (
        "Resources/HoldAlarm",
        "-",
        "HoldUnattended of Reseed has no alarm",
    ),
    (
        "Resources/KeysStoppedAlarm",
        "-",
        "KeysStopped of Realtime has no alarm",
    ),
    (
        "Resources/ReseedStalledAlarm/Properties/AlarmActions/0",
        "-",
        "ReseedStalledAlarm tells nobody",
    ),
    (
        "Resources/ReseedThrottlesAlarm/Properties/TreatMissingData",
        "breaching",
        "ReseedThrottlesAlarm without data",
    ),
    (
        "Resources/RealtimeErrorsAlarm/Condition",
        "-",
        "RealtimeErrorsAlarm tells nobody",
    ),
];
