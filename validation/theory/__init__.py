"""Section 5 and Appendix 2: linear networks with updated random feedback, and whether their theorems hold.

Here, as in section 5, sigma(x) = x, the loss is quadratic, XX^t = I, and R_i is n_{i-1} x n_i: the transpose of the
layout that the rest of the package keeps it in. `equations` and `matrices` are the equations, `ladder` follows many
scalar systems at several epsilon at the same times, `hypotheses` says when a theorem speaks, `scalar_claims`,
`theorem_claims`, `outside` and `figure12_claims` measure; ``hebb theory`` shows it all.

What a reader of Appendix 2 should know (each is measured by ``hebb theory``, or is a test):

- **Theorem 2 cannot hold as stated.** It says that lambda_1, lambda_2 and lambda_3 increase with epsilon. Their product
  tends to lambda_T whatever epsilon is, so not all three can. The proof shows, and needs, something else: lambda_1,
  lambda_2 and epsilon lambda_3^2 increase. lambda_3 itself is smaller in the end.
- "lambda_R << lambda_T" in front of Theorem 1 is not used by its proof, and not needed.
- "lambda_R,2, lambda_R,3 < delta << lambda_T < 1" in Theorem 2 changes under the scaling that makes lambda_T <= 1 no
  loss (lambda = a lambda', lambda_R = a lambda_R', lambda_T = a^k lambda_T'), and the proof bounds T_1 + T_3 from above
  where it needs a bound from below. One explicit condition mends both, `hypotheses.explicit_bound`:
  lambda_R,3^2 H(lambda_R,3, lambda_R,2, epsilon) <= lambda_T. Where lambda_2 > lambda_R,3 the paper's argument holds as
  it is. Where lambda_2 <= lambda_R,3, with F = F(lambda_2, lambda_R,3) and H = H(lambda_2, lambda_R,2),

      T_2 + T_3 >= F lambda_2^2 / 2 (e / H - lambda_2^3 / (F + lambda_R,3)),

  which is positive where e (F + lambda_R,3) > lambda_2^3 H. There F + lambda_R,3 >= 2 lambda_2, so that
  e = lambda_T - lambda_2^3 H / (F + lambda_R,3) >= lambda_T - lambda_2^2 H / 2, and lambda_2^2 H <= lambda_T is enough.
- The equation for lambda_2 in (19) has more than one solution from lambda_2(0) = 0: H grows as the root of lambda_2,
  and staying at 0 is one of them. The argument by the sign of df / d epsilon needs a unique one. The equation for
  z = sqrt(lambda_2) has it: z' = F (lambda_T - G z^2 H) sqrt(2 lambda_R,2 + epsilon z^2) / 2.
- Theorem 2 bounds the ratio of lambda_R,2 and lambda_R,3 so that lambda_2 increases. Outside the bound lambda_2 may
  decrease, but the rate and the error still behave as the theorem says: no counterexample among scalar systems.
- For k > 3, (17) suggests to show that all lambda_i increase. They do not: for small lambda_R, lambda_i tends to
  lambda_T^(1/k) epsilon^((k + 1 - 2i) / 4), by (16), which decreases for i > (k + 1) / 2; for k > 3 even
  epsilon lambda_k^2 does. The rate still increases, as epsilon^((k - 1) / 2): no counterexample for k = 4 and 5.
- With R(0) that is not lined up with T a larger epsilon may be behind for a while when k = 3 (`general.GENERAL_R0`); no
  such case was found for k = 2. With W(0) not 0 it may be for k = 2 too, and never converge (`general.NONZERO_W0`).
- Slips that change no conclusion: dF_3 / d epsilon has a minus where a plus belongs; dG_3 / d epsilon has an epsilon
  too many in its second term; "substituting G_2" means G_2^2; the last form of T_2 lost a factor 1/2.
- Figure 12 shows a correlation for the input layer, and R_1 is in no equation: it carries nothing.
"""
