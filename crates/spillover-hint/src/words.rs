//! The codes by which vendors name an error: `error.type`, `error.code`, `x-amzn-errortype` and similar.

use crate::{Refusal, value::fold::Folded};

/// Returns the kind for an error code, ignoring case and punctuation. An AWS exception may have a namespace before and
/// an address after its name: `com.amazon.coral.service#ThrottlingException:http://...`.
pub(crate) fn refusal(word: &[u8]) -> Option<Refusal> {
    Some(match Folded::new(bare(word)).as_bytes() {
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
        | b"1300"
        // Z.ai's limits of concurrency and rate: https://docs.z.ai/api-reference/api-code.
        | b"1302"
        | b"1303"
        | b"1305" => Refusal::Throttled,

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
        | b"quotaexhausted"
        | b"usagelimitreached"
        | b"usagelimitexceeded"
        | b"outofquota"
        // Z.ai: no balance, a window of hours, and one of a week or a month that is used up.
        | b"1113"
        | b"1308"
        | b"1310"
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
    })
}

/// Returns the status of an error code where it is not the usual one of its kind. Most are documented:
/// [Anthropic](https://docs.anthropic.com/en/api/errors#http-errors),
/// [Bedrock](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html),
/// [OpenRouter](https://openrouter.ai/docs/api-reference/errors).
pub(crate) fn status(word: &[u8]) -> Option<u16> {
    Some(match Folded::new(bare(word)).as_bytes() {
        b"contextlengthexceeded" | b"stringabovemaxlength" | b"servicequotaexceededexception" => {
            400
        }
        b"billingerror" | b"paymentrequired" | b"insufficientbalance" | b"insufficientcredits" => {
            402
        }
        b"permissionerror"
        | b"permissiondenied"
        | b"forbidden"
        | b"accessdeniedexception"
        | b"unrecognizedclientexception"
        | b"expiredtokenexception"
        | b"invalidsignatureexception" => 403,
        b"notfounderror"
        | b"resourcenotfoundexception"
        | b"modelnotfound"
        | b"deploymentnotfound" => 404,
        b"modeltimeoutexception" => 408,
        b"modelerrorexception" | b"modelstreamerrorexception" => 424,
        b"modelnotreadyexception" => 429,
        b"badgateway" => 502,
        b"timeouterror" | b"deadlineexceeded" => 504,
        b"overloadederror" => 529,
        _ => return None,
    })
}

/// Returns true for a code about what the request names: the backend has no such model, deployment or API version, or this
/// account may not use it, or the client's organization is not the account's.
pub(crate) fn is_missing(word: &[u8]) -> bool {
    matches!(
        Folded::new(word).as_bytes(),
        b"modelnotfound"
            | b"deploymentnotfound"
            | b"modelnotavailable"
            | b"unsupportedmodel"
            | b"unknownmodel"
            | b"unsupportedapiversion"
            | b"invalidapiversionparameter"
            | b"mismatchedorganization"
            | b"mismatchedproject"
    )
}

/// Removes the namespace before and the address after the name.
fn bare(word: &[u8]) -> &[u8] {
    let start = word
        .iter()
        .rposition(|byte| *byte == b'#')
        .map_or(0, |at| at + 1);
    let word = &word[start..];
    let end = word.iter().position(|byte| *byte == b':');
    &word[..end.unwrap_or(word.len())]
}
