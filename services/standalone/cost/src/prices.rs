//! List prices of us-east-1 in US dollars, without free tiers and discounts.

/// A quantity up to which a price holds, and the price of one unit. The last tier has no end.
pub type Tier = (f64, f64);

/// A list price.
#[derive(Debug)]
pub struct Price {
    /// The unit that is paid for.
    pub unit: &'static str,
    /// The page of AWS that has it.
    pub page: &'static str,
    /// The month in which it was last known.
    pub known: &'static str,
    /// Prices of one unit in a month, in ascending order of their quantities.
    pub tiers: &'static [Tier],
}

const API_GATEWAY: &str = "https://aws.amazon.com/api-gateway/pricing/";
const CLOUD_WATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";
const COGNITO: &str = "https://aws.amazon.com/cognito/pricing/";
const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";
const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";

const MILLION: f64 = 1e6;
const BILLION: f64 = 1e9;
/// Gigabytes in a terabyte, as AWS counts data.
const TERABYTE: f64 = 1024.0;
const REST: f64 = f64::INFINITY;

/// A message to or from a WebSocket client, by 32 KiB.
pub static WEB_SOCKET_MESSAGE: Price = Price {
    unit: "WebSocket message, 32 KiB",
    page: API_GATEWAY,
    known: "2025-05",
    tiers: &[(BILLION, 1.0e-6), (REST, 0.8e-6)],
};
/// A minute of a WebSocket connection.
pub static CONNECTION_MINUTE: Price =
    Price { unit: "connection minute", page: API_GATEWAY, known: "2025-05", tiers: &[(REST, 0.25e-6)] };
/// A request to a REST API: the producer API.
pub static REST_REQUEST: Price = Price {
    unit: "REST API request",
    page: API_GATEWAY,
    known: "2025-05",
    tiers: &[
        (333.0 * MILLION, 3.5e-6),
        (1_000.0 * MILLION, 2.8e-6),
        (20.0 * BILLION, 2.38e-6),
        (REST, 1.51e-6),
    ],
};
/// A request to an HTTP API: the token API.
pub static HTTP_REQUEST: Price = Price {
    unit: "HTTP API request, 512 KiB",
    page: API_GATEWAY,
    known: "2025-05",
    tiers: &[(300.0 * MILLION, 1.0e-6), (REST, 0.9e-6)],
};
/// A request to a FIFO queue, by 64 KiB.
pub static SQS_REQUEST: Price = Price {
    unit: "SQS FIFO request, 64 KiB",
    page: "https://aws.amazon.com/sqs/pricing/",
    known: "2026-06",
    tiers: &[(REST, 0.5e-6)],
};
/// A read unit of a table on demand: a strongly consistent read of 4 KiB.
pub static READ_UNIT: Price = Price {
    unit: "DynamoDB read unit, on demand",
    page: DYNAMODB,
    known: "2024-11",
    tiers: &[(REST, 0.125e-6)],
};
/// A write unit of a table on demand: a write of 1 KiB.
pub static WRITE_UNIT: Price = Price {
    unit: "DynamoDB write unit, on demand",
    page: DYNAMODB,
    known: "2024-11",
    tiers: &[(REST, 0.625e-6)],
};
/// An invocation of a function.
pub static LAMBDA_REQUEST: Price =
    Price { unit: "Lambda request", page: LAMBDA, known: "2025-05", tiers: &[(REST, 0.2e-6)] };
/// A second of a function with one gibibyte on arm64.
pub static LAMBDA_GIBIBYTE_SECOND: Price = Price {
    unit: "Lambda GiB-second, arm64",
    page: LAMBDA,
    known: "2025-05",
    tiers: &[(7.5 * BILLION, 13.333_4e-6), (18.75 * BILLION, 12.000_1e-6), (REST, 10.666_7e-6)],
};
/// A request to a key.
pub static KMS_REQUEST: Price = Price {
    unit: "KMS request",
    page: "https://aws.amazon.com/kms/pricing/",
    known: "2026-06",
    tiers: &[(REST, 3.0e-6)],
};
/// A customer managed key for a month.
pub static KMS_KEY: Price = Price {
    unit: "KMS key, month",
    page: "https://aws.amazon.com/kms/pricing/",
    known: "2026-06",
    tiers: &[(REST, 1.0)],
};
/// A user of a Cognito user pool of the tier Lite who is active in a month.
pub static COGNITO_LITE: Price = Price {
    unit: "Cognito active user, tier Lite",
    page: COGNITO,
    known: "2024-11",
    tiers: &[
        (10_000.0, 0.0),
        (100_000.0, 0.005_5),
        (1.0 * MILLION, 0.004_6),
        (10.0 * MILLION, 0.003_25),
        (REST, 0.002_5),
    ],
};
/// A user of a Cognito user pool of the tier Essentials, AWS's default, who is active in a month.
pub static COGNITO_ESSENTIALS: Price = Price {
    unit: "Cognito active user, tier Essentials",
    page: COGNITO,
    known: "2024-11",
    tiers: &[(10_000.0, 0.0), (REST, 0.015)],
};
/// A gigabyte of a function's log.
pub static LOG_GIGABYTE: Price = Price {
    unit: "CloudWatch Logs of functions, GB",
    page: CLOUD_WATCH,
    known: "2025-05",
    tiers: &[(10.0 * TERABYTE, 0.5), (30.0 * TERABYTE, 0.25), (50.0 * TERABYTE, 0.1), (REST, 0.05)],
};
/// An alarm on one metric for a month.
pub static ALARM: Price =
    Price { unit: "CloudWatch alarm, month", page: CLOUD_WATCH, known: "2025-05", tiers: &[(REST, 0.1)] };
/// A trace that X-Ray records.
pub static TRACE: Price = Price {
    unit: "X-Ray trace recorded",
    page: "https://aws.amazon.com/xray/pricing/",
    known: "2025-05",
    tiers: &[(REST, 5.0e-6)],
};
/// A gigabyte from AWS to the internet.
pub static TRANSFER_GIGABYTE: Price = Price {
    unit: "data transfer to the internet, GB",
    page: "https://aws.amazon.com/ec2/pricing/on-demand/",
    known: "2025-05",
    tiers: &[(10.0 * TERABYTE, 0.09), (50.0 * TERABYTE, 0.085), (150.0 * TERABYTE, 0.07), (REST, 0.05)],
};

/// All prices, in the order of the documentation.
pub static ALL: [&Price; 17] = [
    &WEB_SOCKET_MESSAGE,
    &CONNECTION_MINUTE,
    &REST_REQUEST,
    &HTTP_REQUEST,
    &SQS_REQUEST,
    &READ_UNIT,
    &WRITE_UNIT,
    &LAMBDA_REQUEST,
    &LAMBDA_GIBIBYTE_SECOND,
    &KMS_REQUEST,
    &KMS_KEY,
    &COGNITO_LITE,
    &COGNITO_ESSENTIALS,
    &LOG_GIGABYTE,
    &ALARM,
    &TRACE,
    &TRANSFER_GIGABYTE,
];

impl Price {
    /// Price of the first units in a month that are not free.
    pub fn first(&self) -> f64 {
        self.tiers.iter().map(|(_, price)| *price).find(|price| *price > 0.0).unwrap_or_default()
    }

    /// Price of a month's quantity.
    pub fn of(&self, quantity: f64) -> f64 {
        let mut from = 0.0;
        let mut sum = 0.0;
        for (end, price) in self.tiers {
            sum += (quantity.min(*end) - from).max(0.0) * price;
            from = *end;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_near(one: f64, other: f64) {
        assert!((one - other).abs() < 1e-6, "{one} is not {other}");
    }

    #[test]
    fn each_tier_has_its_own_price() {
        assert_near(REST_REQUEST.of(333.0 * MILLION), 1_165.5);
        assert_near(REST_REQUEST.of(334.0 * MILLION), 1_165.5 + 2.8);
        assert_near(COGNITO_LITE.of(10_000.0), 0.0);
        assert_near(COGNITO_LITE.of(11_000.0), 5.5);
        assert_near(SQS_REQUEST.of(3.0 * MILLION), 1.5);
    }

    #[test]
    fn first_price_is_the_dearest() {
        for price in ALL {
            assert!(price.tiers.iter().all(|(_, tier)| *tier <= price.first()), "{}", price.unit);
            assert!(price.tiers.is_sorted_by(|one, other| one.0 < other.0), "{}", price.unit);
        }
        assert_near(COGNITO_LITE.first(), 0.005_5);
    }
}
