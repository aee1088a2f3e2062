//! `spillover import`: the policies of API Management that balance load over a list of backends become a configuration file.
//!
//! See <https://github.com/Azure-Samples/openai-apim-lb> for the policy that most others are made from.

mod csharp;
mod lenient;
mod policy;
mod write;

use self::policy::Policy;

/// A policy as a configuration file.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) toml: String,
    /// One line for each setting that is not taken over, and for each thing to do. No value of the policy is in it.
    pub(crate) notes: Vec<String>,
}

/// Reads a policy.
///
/// # Errors
///
/// Returns a message if the policy is no XML or has no list of backends.
pub(crate) fn import(xml: &str) -> Result<Imported, String> {
    let xml = lenient::well_formed(xml);
    let document = roxmltree::Document::parse(&xml).map_err(|error| {
        // The error itself may name what it found.
        let line = error.pos().row;
        format!("the policy is no XML that can be read: see line {line}")
    })?;
    let policy = Policy::read(&document);
    if policy.backends.is_empty() {
        return Err(
            "the policy has no list of backends: no set-variable whose value adds objects with a \"url\""
                .to_owned(),
        );
    }
    if policy.backends.iter().all(|backend| backend.url.is_none()) {
        return Err("the policy has no backend whose \"url\" is a plain URL".to_owned());
    }
    Ok(write::write(policy))
}
