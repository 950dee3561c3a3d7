"""The value that tables of claims are made of."""

from validation.claims import Claim, all_pass, table

HOLDS = Claim("sum", "Two and two are four.", "equation (1)", 4.0, "== 4", True)
FAILS = Claim("product", "Two by two is five.", "section 9", 4.0, "== 5", False, note="Seen with ten fingers.")
REPORTED = Claim("finding", "What lies outside.", "section 9", "3 of 10", "", None)


def test_only_a_judged_claim_that_does_not_hold_fails():
    assert all_pass([HOLDS, REPORTED])
    assert not all_pass([HOLDS, FAILS, REPORTED])


def test_a_table_shows_every_claim_with_its_number_and_verdict():
    text = table([HOLDS, FAILS, REPORTED])
    assert [word in text for word in ("holds", "FAILS", "reported", "3 of 10", "== 5", "Seen with ten fingers.")] == [
        True
    ] * 6
    assert FAILS.as_dict()["verdict"] == "FAILS"
