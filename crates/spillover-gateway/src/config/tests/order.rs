use crate::config::names::natural;

#[test]
fn numbers_compare_by_value_and_letters_without_case() {
    let sorted = [
        "",
        "01",
        "1",
        "2",
        "10",
        "99999999999999999999998",
        "99999999999999999999999",
        "a",
        "A1",
        "a2",
        "A10",
        "a10b",
        "B",
        "é",
    ];
    let mut shuffled = sorted;
    shuffled.reverse();
    shuffled.sort_by(|a, b| natural(a, b));
    assert_eq!(shuffled, sorted);
}
