"""nist.json: NIST StRD linear least squares. Data written here; the certified figures are checked by exact rational arithmetic."""

from decimal import Decimal, getcontext
from fractions import Fraction

import statsmodels.api as sm

from common import save, software

getcontext().prec = 60


def exact(x, y, intercept):
    """Estimates, standard errors and residual standard deviation, exact up to the last square root."""
    rows = [[Fraction(1)] * intercept + [Fraction(v) for v in r] for r in x]
    y = [Fraction(v) for v in y]
    k, n = len(rows[0]), len(rows)
    gram = [[sum(r[i] * r[j] for r in rows) for j in range(k)] + [Fraction(int(i == j)) for j in range(k)] for i in range(k)]
    for i in range(k):
        p = next(r for r in range(i, k) if gram[r][i] != 0)
        gram[i], gram[p] = gram[p], gram[i]
        gram[i] = [v / gram[i][i] for v in gram[i]]
        for r in range(k):
            if r != i:
                f = gram[r][i]
                gram[r] = [a - f * b for a, b in zip(gram[r], gram[i])]
    inverse = [row[k:] for row in gram]
    xy = [sum(r[i] * v for r, v in zip(rows, y)) for i in range(k)]
    beta = [sum(inverse[i][j] * xy[j] for j in range(k)) for i in range(k)]
    rss = sum((v - sum(b * a for a, b in zip(r, beta))) ** 2 for r, v in zip(rows, y))
    s2 = rss / (n - k)
    mean = sum(y) / n if intercept else Fraction(0)
    tss = sum((v - mean) ** 2 for v in y)
    root = lambda f: float((Decimal(f.numerator) / Decimal(f.denominator)).sqrt())
    return dict(estimates=[float(b) for b in beta], std_errors=[root(s2 * inverse[i][i]) for i in range(k)], residual_sd=root(s2),
                r_squared=float(1 - rss / tss), df_residual=n - k)


def case(name, x, y, certified, intercept=True, columns=None):
    columns = columns or [f"x{i + 1}" for i in range(len(x[0]))]
    ours = exact(x, y, intercept)
    for key, want in certified.items():
        got = ours[key]
        pairs = zip(got, want) if isinstance(want, list) else [(got, want)]
        for a, b in pairs:
            assert abs(a - b) <= 2e-14 * abs(b), (name, key, a, b)
    print(name, "certified figures confirmed")
    return dict(intercept=intercept, columns=columns, x=[[float(v) for v in r] for r in x], y=[float(v) for v in y], certified=certified, exact=ours)


powers = [[i**p for p in range(1, 6)] for i in range(21)]
wampler1 = [1 + sum(r) for r in powers]
tenths = [Fraction(1, 10**p) for p in range(1, 6)]
wampler2 = [1 + sum(Fraction(v) * t for v, t in zip(r, tenths)) for r in powers]
wampler3 = [760, -2042, 2111, -1684, 3888, 1858, 11379, 17560, 39287, 64382, 113159, 175108, 273291, 400186, 581243, 811568, 1121004, 1506550, 2002767, 2611612, 3369180]
WAMPLER_SE = [2152.32624678170, 2363.55173469681, 779.343524331583, 101.475507550350, 5.64566512170752, 0.112324854679312]
shift = [v - w for v, w in zip(wampler3, wampler1)]
longley = sm.datasets.longley.load_pandas()
norris_x = "0.2 337.4 118.2 884.6 10.1 226.5 666.3 996.3 448.6 777.0 558.2 0.4 0.6 775.5 666.9 338.0 447.5 11.6 556.0 228.1 995.8 887.6 120.2 0.3 0.3 556.8 339.1 887.2 999.0 779.0 11.1 118.3 229.2 669.1 448.9 0.5".split()
norris_y = "0.1 338.8 118.1 888.0 9.2 228.1 668.5 998.5 449.1 778.9 559.2 0.3 0.1 778.1 668.8 339.3 448.9 10.8 557.7 228.3 998.0 888.8 119.6 0.3 0.6 557.6 339.3 888.0 998.5 778.9 10.2 117.6 228.9 668.4 449.2 0.2".split()

FILIP_X = (
    "-6.860120914 -4.324130045 -4.358625055 -4.358426747 -6.955852379 -6.661145254 -6.355462942 -6.118102026 -7.115148017 -6.815308569 "
    "-6.519993057 -6.204119983 -5.853871964 -6.109523091 -5.79832982 -5.482672118 -5.171791386 -4.851705903 -4.517126416 -4.143573228 "
    "-3.709075441 -3.499489089 -6.300769497 -5.953504836 -5.642065153 -5.031376979 -4.680685696 -4.329846955 -3.928486195 -8.56735134 "
    "-8.363211311 -8.107682739 -7.823908741 -7.522878745 -7.218819279 -6.920818754 -6.628932138 -6.323946875 -5.991399828 -8.781464495 "
    "-8.663140179 -8.473531488 -8.247337057 -7.971428747 -7.676129393 -7.352812702 -7.072065318 -6.774174009 -6.478861916 -6.159517513 "
    "-6.835647144 -6.53165267 -6.224098421 -5.910094889 -5.598599459 -5.290645224 -4.974284616 -4.64454848 -4.290560426 -3.885055584 "
    "-3.408378962 -3.13200249 -8.726767166 -8.66695597 -8.511026475 -8.165388579 -7.886056648 -7.588043762 -7.283412422 -6.995678626 "
    "-6.691862621 -6.392544977 -6.067374056 -6.684029655 -6.378719832 -6.065855188 -5.752272167 -5.132414673 -4.811352704 -4.098269308 "
    "-3.66174277 -3.2644011"
).split()
FILIP_Y = (
    "0.8116 0.9072 0.9052 0.9039 0.8053 0.8377 0.8667 0.8809 0.7975 0.8162 0.8515 0.8766 0.8885 0.8859 0.8959 0.8913 0.8959 0.8971 0.9021 "
    "0.9090 0.9139 0.9199 0.8692 0.8872 0.8900 0.8910 0.8977 0.9035 0.9078 0.7675 0.7705 0.7713 0.7736 0.7775 0.7841 0.7971 0.8329 0.8641 "
    "0.8804 0.7668 0.7633 0.7678 0.7697 0.7700 0.7749 0.7796 0.7897 0.8131 0.8498 0.8741 0.8061 0.8460 0.8751 0.8856 0.8919 0.8934 0.8940 "
    "0.8957 0.9047 0.9129 0.9209 0.9219 0.7739 0.7681 0.7665 0.7703 0.7702 0.7761 0.7809 0.7961 0.8253 0.8602 0.8809 0.8301 0.8664 0.8834 "
    "0.8898 0.8964 0.8963 0.9074 0.9119 0.9228"
).split()
FILIP = dict(
    estimates=[-1467.48961422980, -2772.17959193342, -2316.37108160893, -1127.97394098372, -354.478233703349, -75.1242017393757, -10.8753180355343,
               -1.06221498588947, -0.670191154593408e-01, -0.246781078275479e-02, -0.402962525080404e-04],
    std_errors=[298.084530995537, 559.779865474950, 466.477572127796, 227.204274477751, 71.6478660875927, 15.2897178747400, 2.23691159816033,
                0.221624321934227, 0.142363763154724e-01, 0.535617408889821e-03, 0.896632837373868e-05],
    residual_sd=0.334801051324544e-02, r_squared=0.996727416185620)


def filip():
    out = case("Filip", [[Fraction(v) ** p for p in range(1, 11)] for v in FILIP_X], FILIP_Y, FILIP)
    out["x"] = [[float(v)] for v in FILIP_X]  # the powers are for the reader to form; degree 10
    out["columns"], out["polynomial_degree"] = ["x"], 10
    return out


values = dict(
    filip=filip(),
    longley=case("Longley", [[str(v) for v in r] for r in longley.exog.to_numpy()], [str(v) for v in longley.endog], dict(
        estimates=[-3482258.63459582, 15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807, 1829.15146461355],
        std_errors=[890420.383607373, 84.9149257747669, 0.0334910077722432, 0.488399681651699, 0.214274163161675, 0.226073200069370, 455.478499142212],
        residual_sd=304.854073561965, r_squared=0.995479004577296), columns=[c.lower() for c in longley.exog.columns]),
    norris=case("Norris", [[v] for v in norris_x], norris_y, dict(
        estimates=[-0.262323073774029, 1.00211681802045], std_errors=[0.232818234301152, 0.429796848199937e-03],
        residual_sd=0.884796396144373, r_squared=0.999993745883712)),
    no_int_1=case("NoInt1", [[v] for v in range(60, 71)], list(range(130, 141)), dict(
        estimates=[2.07438016528926], std_errors=[0.0165289256198347], residual_sd=3.56753034006338, r_squared=0.999365492298663), intercept=False),
    no_int_2=case("NoInt2", [[4], [5], [6]], [3, 4, 4], dict(
        estimates=[0.727272727272727], std_errors=[0.0420827318078432], residual_sd=0.369274472937998, r_squared=0.993348115299335), intercept=False),
    wampler_1=case("Wampler1", powers, wampler1, dict(estimates=[1.0] * 6, std_errors=[0.0] * 6, residual_sd=0.0, r_squared=1.0)),
    wampler_2=case("Wampler2", powers, wampler2, dict(estimates=[1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001], std_errors=[0.0] * 6, residual_sd=0.0, r_squared=1.0)),
    wampler_3=case("Wampler3", powers, wampler3, dict(estimates=[1.0] * 6, std_errors=WAMPLER_SE, residual_sd=2360.14502379268, r_squared=0.999995559025820)),
    wampler_4=case("Wampler4", powers, [w + 100 * s for w, s in zip(wampler1, shift)], dict(
        estimates=[1.0] * 6, std_errors=[s * 100 for s in WAMPLER_SE], residual_sd=236014.502379268, r_squared=0.957478440825662)),
    wampler_5=case("Wampler5", powers, [w + 10000 * s for w, s in zip(wampler1, shift)], dict(
        estimates=[1.0] * 6, std_errors=[s * 10000 for s in WAMPLER_SE], residual_sd=23601450.2379268, r_squared=0.224668921574940e-02)),
)
save("nist", source=software("statsmodels") + " (Longley's data); NIST Statistical Reference Datasets, linear regression", data=[], values=values,
     note="certified: NIST's 15 digits, each confirmed here by exact rational arithmetic to 2e-14; exact: the rational result rounded to double. Without an intercept r_squared is uncentred. "
          "Tolerances differ by problem: double precision keeps about 7 digits of the Wampler coefficients from a Gram matrix, 9 to 13 from orthogonal columns.")
