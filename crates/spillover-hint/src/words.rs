//! The words by which vendors name an error: `error.type`, `error.code`, `x-amzn-errortype` and their like.

use crate::{Refusal, value::fold::Folded};

/// What a word says. Case and punctuation do not matter, nor do the namespace before and the address behind the name of an
/// AWS exception: `com.amazon.coral.service#ThrottlingException:http://...`.
pub(crate) fn refusal(word: &[u8]) -> Option<Refusal> {
    let start = word
        .iter()
        .rposition(|byte| *byte == b'#')
        .map_or(0, |at| at + 1);
    let word = &word[start..];
    let end = word.iter().position(|byte| *byte == b':');
    Some(
        match Folded::new(&word[..end.unwrap_or(word.len())]).as_bytes() {
            b"ratelimitexceeded"
            | b"ratelimiterror"
            | b"ratelimited"
            | b"ratelimitreached"
            | b"ratelimit"
            | b"toomanyrequests"
            | b"toomanyrequestsexception"
            | b"throttled"
            | b"throttling"
            | b"throttlingerror"
            | b"throttlingexception"
            | b"requestlimitexceeded"
            | b"resourceexhausted"
            | b"provisionedthroughputexceededexception"
            | b"tokens"
            | b"requests"
            | b"1300" => Refusal::Throttled,

            // 3505: Mistral's tier of the service is full.
            b"overloadederror"
            | b"overloaded"
            | b"serveroverloaded"
            | b"slowdown"
            | b"unavailable"
            | b"nocapacity"
            | b"capacityexceeded"
            | b"modelcapacityexceeded"
            | b"serviceunavailable"
            | b"serviceunavailableexception"
            | b"modelnotreadyexception"
            | b"3505" => Refusal::Capacity,

            b"requesttoolarge"
            | b"contextlengthexceeded"
            | b"contextwindowexceeded"
            | b"payloadtoolarge"
            | b"requestentitytoolarge"
            | b"stringabovemaxlength" => Refusal::TooLarge,

            b"insufficientquota"
            | b"insufficientbalance"
            | b"insufficientcredits"
            | b"billingerror"
            | b"billinghardlimitreached"
            | b"billingnotactive"
            | b"paymentrequired"
            | b"enforcedspendlimitreached"
            | b"spendlimitreached"
            | b"quotaexceeded"
            | b"outofquota"
            | b"servicequotaexceededexception" => Refusal::Quota,

            b"authenticationerror"
            | b"invalidapikey"
            | b"apikeyinvalid"
            | b"invalidauthentication"
            | b"permissionerror"
            | b"permissiondenied"
            | b"unauthenticated"
            | b"unauthorized"
            | b"forbidden"
            | b"accessdenied"
            | b"accessdeniedexception"
            | b"accountdeactivated"
            | b"unrecognizedclientexception"
            | b"expiredtokenexception"
            | b"invalidsignatureexception" => Refusal::Credential,

            b"apierror"
            | b"servererror"
            | b"internal"
            | b"internalerror"
            | b"internalservererror"
            | b"internalserverexception"
            | b"internalfailure"
            | b"timeouterror"
            | b"deadlineexceeded"
            | b"modelerrorexception"
            | b"modeltimeoutexception"
            | b"modelstreamerrorexception"
            | b"badgateway" => Refusal::Failing,

            b"invalidrequesterror"
            | b"invalidrequest"
            | b"invalidargument"
            | b"invalidprompt"
            | b"badrequest"
            | b"contentfilter"
            | b"validationexception"
            | b"notfounderror"
            | b"resourcenotfoundexception"
            | b"modelnotfound"
            | b"deploymentnotfound"
            | b"failedprecondition" => Refusal::Client,
            _ => return None,
        },
    )
}

/// Whether a word says that there is no such model, or none that this account may use.
pub(crate) fn is_model_missing(word: &[u8]) -> bool {
    matches!(
        Folded::new(word).as_bytes(),
        b"modelnotfound" | b"deploymentnotfound" | b"modelnotavailable" | b"unsupportedmodel"
    )
}
