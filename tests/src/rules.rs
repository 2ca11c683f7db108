//! Shipped rules with other times, so that a test need not wait for the shipped ones.

/// `address-guesses`: five failures of an address within such a time block it for such a time.
pub fn address_guesses(within: &str, span: &str) -> String {
    format!(
        r#"
        [[rule]]
        name = "address-guesses"
        on = "login-failed"
        by = "address"
        count = 5
        within = "{within}"
        block = {{ for = "{span}" }}
        "#
    )
}

/// `login-attacked`: three failures of a login from two addresses guard it for such a time, with such a tarpit.
pub fn login_attacked(span: &str, tarpit: &str) -> String {
    format!(
        r#"
        [[rule]]
        name = "login-attacked"
        on = "login-failed"
        by = "login"
        count = 3
        within = "1m"
        distinct = {{ of = "address", at-least = 2 }}
        block = {{ for = "{span}", then = "tarpit", tarpit = "{tarpit}" }}
        "#
    )
}
