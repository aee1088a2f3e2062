use std::fmt;

use http::HeaderMap;

use crate::{
    Dimension, Quota, Source, When,
    body::rate_limits,
    headers::{Head, Key},
    slots::Slots,
};

/// What a response says about what is left: the counters that a backend can be steered by before it refuses.
///
/// ```
/// use http::HeaderMap;
/// use spillover_hint::{Dimension, Quotas};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-ratelimit-limit-tokens", "200000".parse()?);
/// headers.insert("x-ratelimit-remaining-tokens", "199000".parse()?);
/// headers.insert("x-ratelimit-remaining-requests", "-1".parse()?); // Azure OpenAI: not known
///
/// let quotas = Quotas::from_headers(&headers);
/// let tokens = quotas.get(Dimension::Tokens).expect("tokens");
/// assert_eq!(tokens.limit(), Some(200_000));
/// assert_eq!(tokens.remaining(), Some(199_000));
/// assert_eq!(tokens.reset(), None);
/// assert!(quotas.get(Dimension::Requests).is_none());
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Default)]
pub struct Quotas {
    quotas: [Option<Quota>; CAPACITY],
    len: usize,
    utilization: Option<f32>,
}

impl Quotas {
    /// Reads the counters of any response.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut head = Head::default();
        head.wants_limits = true;
        head.read(headers, &mut Slots::default());
        let mut quotas = Self {
            utilization: head.signs.utilization(),
            ..Self::default()
        };
        for limit in head.limits.iter() {
            quotas.push(Quota {
                key: Key {
                    period: head.limits.period(limit.key),
                    ..limit.key
                },
                limit: limit.limit,
                remaining: limit.remaining,
                reset: limit.reset(),
            });
        }
        for item in head.ietf_items() {
            quotas.push(Quota {
                key: Key {
                    source: Source::RateLimit,
                    dimension: item.dimension,
                    period: item.period,
                },
                limit: item.limit,
                remaining: item.remaining,
                reset: item.reset.map(When::After),
            });
        }
        quotas
    }

    /// Reads `rate_limits.updated`, an event of OpenAI's
    /// [Realtime API](https://platform.openai.com/docs/api-reference/realtime-server-events/rate_limits/updated), which has
    /// no fields to read. `None` if it is another event.
    pub fn from_event(data: &[u8]) -> Option<Self> {
        rate_limits::read(data)
    }

    /// The limits that the response speaks of.
    pub fn iter(&self) -> impl Iterator<Item = &Quota> {
        self.quotas[..self.len].iter().flatten()
    }

    /// The limit of one dimension; the one with the shortest period if there are several.
    pub fn get(&self, dimension: Dimension) -> Option<&Quota> {
        let same = self.iter().filter(|quota| quota.dimension() == dimension);
        same.min_by_key(|quota| quota.key)
    }

    /// `azure-openai-deployment-utilization`: how much of a deployment with provisioned throughput is in use, in percent.
    ///
    /// It may be more than 100. [Azure's benchmark](https://github.com/Azure/azure-openai-benchmark) reads it.
    pub fn utilization(&self) -> Option<f32> {
        self.utilization
    }

    /// Whether the response says nothing about what is left.
    pub fn is_empty(&self) -> bool {
        self.len == 0 && self.utilization.is_none()
    }

    pub(crate) fn push(&mut self, quota: Quota) {
        if quota.is_empty() {
            return;
        }
        if let Some(slot) = self.quotas.get_mut(self.len) {
            *slot = Some(quota);
            self.len += 1;
        }
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotas")
            .field("quotas", &self.iter().collect::<Vec<_>>())
            .field("utilization", &self.utilization)
            .finish()
    }
}

/// As many as are read from the fields.
const CAPACITY: usize = 12;
