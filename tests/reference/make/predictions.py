"""predictions.json: predictions of least squares by statsmodels, for the mean and for a new outcome."""

import pandas as pd
import statsmodels.formula.api as smf

from common import dataset, save, software

nsw = dataset("nsw_mixtape")
model = smf.ols("re78 ~ treat + age + I(age**2) + educ", nsw)
new = pd.DataFrame(dict(treat=[0, 1, 1], age=[20, 30, 50], educ=[8, 12, 16]))
values = {}
for name, result in [("classical", model.fit()), ("HC1", model.fit(cov_type="HC1", use_t=True))]:
    shown = result.get_prediction(new).summary_frame(alpha=0.1)
    values[name] = dict(mean=shown["mean"], std_error=shown["mean_se"], lower=shown["mean_ci_lower"], upper=shown["mean_ci_upper"],
                        outcome_lower=shown["obs_ci_lower"], outcome_upper=shown["obs_ci_upper"])
save("predictions", source=software("statsmodels"), data="datasets/nsw_mixtape.csv", tolerance=1e-9,
     note="re78 ~ treat + age + I(age^2) + educ, intervals at 90 %.", values=dict(new=new.to_dict("list"), **values))
