# The values of R that the tests of mi_coder.outcomes are held to. They are stored in values.csv; no test needs R.
#
# To make them again, from the root of the project (CORPORA is the folder that MI_CODER_DATA names):
#
#   python -m tests.reference.known_truth_csv > known_truth.csv
#   Rscript tests/reference/values.R CORPORA known_truth.csv > tests/reference/values.csv
#
# Made with R 4.2.2 (Debian 12: apt-get install r-base-core r-cran-lme4 r-cran-ordinal r-cran-mass r-cran-sandwich
# r-cran-geepack r-cran-clubsandwich): lme4 1.1-31, ordinal 2022.11-16, MASS 7.3-58.2, sandwich 3.0-2, geepack 1.3.9,
# clubSandwich 0.5.8.
#
# Only tables of numbers are read (CORPORA/reference/*.csv and CORPORA/mibot/data.csv), and only estimates are written:
# one row per case (data and question), model, term and quantity.

suppressPackageStartupMessages({
  library(lme4)
  library(ordinal)
})

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) != 2) stop("usage: Rscript values.R CORPORA known_truth.csv > values.csv")
reference <- function(name) read.csv(file.path(arguments[1], "reference", name))

# What is written ------------------------------------------------------------------------------------------------------

rows <- list()

# Values of one quantity, by the names of their terms.
put <- function(case, model, quantity, values, terms = names(values)) {
  if (is.null(terms)) terms <- ""
  terms[terms == "(Intercept)"] <- "constant"
  row <- data.frame(case, model, term = terms, quantity, value = unname(as.numeric(values)))
  rows[[length(rows) + 1]] <<- row
}

errors <- function(covariance) sqrt(diag(covariance))

put_linear <- function(case, model, fit) {
  put(case, model, "estimate", coef(fit))
  put(case, model, "se", errors(vcov(fit)))
}

put_mixed <- function(case, model, fit) {
  put(case, model, "estimate", fixef(fit))
  put(case, model, "se", errors(as.matrix(vcov(fit))))
  if (isLMM(fit)) {
    variances <- as.data.frame(VarCorr(fit))
    put(case, model, "variance", setNames(variances$vcov, sub("Residual", "residual", variances$grp)))
  } else {
    put(case, model, "sd", attr(VarCorr(fit)[[1]], "stddev"), "")
  }
  put(case, model, "log_likelihood", as.numeric(logLik(fit)))
}

# Coefficients and thresholds ("1|2", ...) of clm.
put_ordinal <- function(case, model, fit) {
  put_linear(case, model, fit)
  put(case, model, "log_likelihood", as.numeric(logLik(fit)))
}

put_ordinal_random <- function(case, model, fit) {
  fixed <- names(coef(fit))
  put(case, model, "estimate", coef(fit))
  put(case, model, "se", errors(vcov(fit))[fixed], fixed)
  sd <- sqrt(as.numeric(VarCorr(fit)[[1]]))
  put(case, model, "sd", sd)
  put(case, model, "icc", sd^2 / (sd^2 + pi^2 / 3))
  put(case, model, "log_likelihood", as.numeric(logLik(fit)))
}

# glm stops at a relative change of the deviance of 1e-8, which leaves errors off in the sixth digit.
strict <- list(epsilon = 1e-12)

# polr stops early, too; where it is told to go on, it ends at the maximum that clm finds.
polr_to_the_end <- function(formula, data) {
  MASS::polr(formula, data, Hess = TRUE, control = list(reltol = 1e-15, maxit = 1000))
}

# MIBot: ratings of one bot by 106 smokers -----------------------------------------------------------------------------

mibot <- read.csv(file.path(arguments[1], "mibot", "data.csv"))
flag <- function(values) if (is.numeric(values)) values else as.numeric(as.logical(values))
behaviors <- c("R", "Q", "MICO", "MIIN", "Other")
counts <- mibot[paste0("AutoMISC_", behaviors)]
mibot[paste0("s", behaviors)] <- 10 * counts / rowSums(counts)
mibot$logw <- log(mibot$NumWordsCounsellor)
mibot$before <- flag(mibot$PreConvoQuitAttempt)
mibot$quit <- flag(mibot$WeekLaterQuitAttempt)
mibot$id <- seq_len(nrow(mibot))

# M1, M1b: confidence after the chat, and a week later, with errors that allow for unequal variances.
for (case in c("M1", "M1b")) {
  mibot$after <- if (case == "M1") mibot$PostRulerConfidence else mibot$WeekLaterRulerConfidence
  fit <- lm(after ~ PreRulerConfidence + sR + sQ + sMICO + logw, mibot)
  put_linear(case, "ols", fit)
  for (kind in c("HC1", "HC3")) {
    put(case, "ols", paste0("se_", tolower(kind)), errors(sandwich::vcovHC(fit, type = kind)))
  }
}

# Single codes: one at a time, with p adjusted over the five.
single <- sapply(paste0("s", behaviors), function(code) {
  fit <- lm(reformulate(c("PreRulerConfidence", code, "logw"), "PostRulerConfidence"), mibot)
  se <- errors(sandwich::vcovHC(fit, type = "HC3"))[[code]]
  c(estimate = coef(fit)[[code]], se_hc3 = se, p = 2 * pt(-abs(coef(fit)[[code]] / se), df.residual(fit)),
    p_normal = 2 * pnorm(-abs(coef(fit)[[code]] / se)))
})
for (quantity in c("estimate", "se_hc3", "p", "p_normal")) put("single_codes", "ols", quantity, single[quantity, ])
put("single_codes", "ols", "q_bh", p.adjust(single["p", ], "BH"))
put("single_codes", "ols", "q_bh_normal", p.adjust(single["p_normal", ], "BH"))

# M2, M2b: confidence before, after and a week later.
times <- c("Pre", "Post", "WeekLater")
long <- do.call(rbind, lapply(seq_along(times), function(i) {
  data.frame(
    id = mibot$id, sR = mibot$sR, conf = mibot[[paste0(times[i], "RulerConfidence")]],
    t1 = as.numeric(i == 2), t2 = as.numeric(i == 3)
  )
}))
fit <- lmer(conf ~ t1 + t2 + (1 | id), long)
put_mixed("M2", "lmer", fit)
variances <- as.data.frame(VarCorr(fit))$vcov
put("M2", "lmer", "icc", variances[1] / sum(variances))
put_mixed("M2b", "lmer", lmer(conf ~ t1 + t2 + sR + t1:sR + t2:sR + (1 | id), long))

# M3: one rating of empathy; 0 is "does not apply".
rated <- subset(mibot, CAREQ4 > 0)
fit <- clm(factor(CAREQ4) ~ sR + sQ + sMICO + PreRulerReadiness, data = rated)
put_ordinal("M3", "clm", fit)
# With a slope per cut, clm reaches no maximum for the three shares, and nominal_test gives nothing for them.
nominal <- na.omit(nominal_test(fit))
put("M3", "nominal_test", "statistic", nominal$LRT, rownames(nominal))
put("M3", "nominal_test", "df", nominal$Df, rownames(nominal))
put("M3", "nominal_test", "p", nominal[["Pr(>Chi)"]], rownames(nominal))

# M4: all ten ratings of empathy.
items <- do.call(rbind, lapply(1:10, function(i) {
  data.frame(id = factor(mibot$id), sR = mibot$sR, sQ = mibot$sQ, care = mibot[[paste0("CAREQ", i)]])
}))
items <- subset(items, care > 0)
put("M4", "clmm", "rows", nrow(items))
put_ordinal_random("M4", "clmm", clmm(factor(care) ~ sR + sQ + (1 | id), data = items, nAGQ = 10))

# M5, M5p: attempts to quit in the week after.
fit <- glm(quit ~ before + PreRulerReadiness + sR + sQ, binomial, mibot, control = strict)
put_linear("M5", "logit", fit)
put("M5", "logit", "se_hc0", errors(sandwich::vcovHC(fit, type = "HC0")))
fit <- glm(
  WeekLaterNumQuitAttempts ~ PreConvoNumQuitAttempts + PreRulerReadiness + sR + sQ, poisson, mibot,
  control = strict
)
put_linear("M5p", "poisson", fit)
put("M5p", "poisson", "se_hc0", errors(sandwich::vcovHC(fit, type = "HC0")))
put("M5p", "poisson", "dispersion", sum(residuals(fit, "pearson")^2) / df.residual(fit))

# Matching: much MI-consistent talk (above the median) against the change of confidence. Treated rows choose in
# descending order of the score, each the nearest untreated row that is left, within .2 standard deviations.
mibot$treated <- as.numeric(mibot$sMICO > median(mibot$sMICO))
mibot$change <- mibot$PostRulerConfidence - mibot$PreRulerConfidence
covariates <- c(
  "PreRulerImportance", "PreRulerConfidence", "PreRulerReadiness", "HeavinessOfSmokingIndex", "before", "DailyNum"
)
score <- glm(reformulate(covariates, "treated"), binomial, mibot, control = strict)

greedy_pairs <- function(scale) {
  caliper <- 0.2 * sd(scale)
  left <- which(mibot$treated == 0)
  pairs <- NULL
  for (row in order(-scale * mibot$treated + 1e9 * (1 - mibot$treated))[seq_len(sum(mibot$treated))]) {
    distance <- abs(scale[left] - scale[row])
    nearest <- which.min(distance)
    if (distance[nearest] <= caliper) {
      pairs <- rbind(pairs, c(row, left[nearest]))
      left <- left[-nearest]
    }
  }
  list(treated = pairs[, 1], untreated = pairs[, 2], caliper = caliper)
}

put_pairs <- function(model, pairs) {
  difference <- mibot$change[pairs$treated] - mibot$change[pairs$untreated]
  put("matching", model, "pairs", length(difference))
  put("matching", model, "caliper", pairs$caliper)
  put("matching", model, "mean_difference", mean(difference))
  invisible(difference)
}

put("matching", "propensity", "estimate", coef(score))
put("matching", "propensity", "treated", sum(mibot$treated))
put_pairs("greedy_probability", greedy_pairs(fitted(score)))
pairs <- greedy_pairs(predict(score))
difference <- put_pairs("greedy_logit", pairs)
paired <- t.test(difference)
put("matching", "greedy_logit", "se_paired", paired$stderr)
put("matching", "greedy_logit", "p_paired", paired$p.value)

matched <- mibot[c(pairs$treated, pairs$untreated), ]
matched$pair <- rep(seq_along(pairs$treated), 2)
plain <- lm(change ~ treated, matched)
adjusted <- lm(reformulate(c("treated", covariates), "change"), matched)
all_rows <- lm(reformulate(c("treated", covariates), "change"), mibot)
for (model in c("matched", "matched_adjusted")) {
  fit <- if (model == "matched") plain else adjusted
  put("matching", model, "estimate", coef(fit)[["treated"]], "treated")
  by_pair <- sandwich::vcovCL(fit, matched$pair, type = "HC1")
  put("matching", model, "se_clustered", errors(by_pair)[["treated"]], "treated")
}
put("matching", "regression", "estimate", coef(all_rows)[["treated"]], "treated")
put("matching", "regression", "se_hc3", errors(sandwich::vcovHC(all_rows, type = "HC3"))[["treated"]], "treated")

# The E-value of the adjusted difference, by RR = exp(.91 d).
d <- coef(adjusted)[["treated"]] / sd(mibot$change)
ratio <- exp(0.91 * abs(d))
put("matching", "matched_adjusted", "d", d)
put("matching", "matched_adjusted", "e_value", ratio + sqrt(ratio * (ratio - 1)))

# Mean differences in standard deviations of treated rows before matching; that of "before", 0 or 1, by its share.
balance <- function(data) {
  sapply(covariates, function(name) {
    own <- mibot[mibot$treated == 1, name]
    spread <- if (name == "before") sqrt(mean(own) * (1 - mean(own))) else sd(own)
    (mean(data[data$treated == 1, name]) - mean(data[data$treated == 0, name])) / spread
  })
}
put("matching", "balance", "smd_before", balance(mibot))
put("matching", "balance", "smd_after", balance(matched))
gap <- diff(tapply(matched$before, matched$treated, mean)) / sd(mibot$before[mibot$treated == 1])
put("matching", "balance", "smd_after_by_sample_sd", gap, "before")

# Bounds on one-sided p of the signed rank test, pairs without difference left out.
differing <- difference[difference != 0]
ranks <- rank(abs(differing))
for (gamma in c(1, 1.5, 2)) {
  tails <- sapply(c(low = 1, high = gamma) / (1 + gamma), function(share) {
    z <- (sum(ranks[differing > 0]) - share * sum(ranks)) / sqrt(share * (1 - share) * sum(ranks^2))
    pnorm(-z)
  })
  put("matching", "rosenbaum", "p_low", tails[["low"]], as.character(gamma))
  put("matching", "rosenbaum", "p_high", tails[["high"]], as.character(gamma))
}

# FailedESConv: surveys after chats that failed ------------------------------------------------------------------------

strategies <- c("sQ", "sS", "sA", "sR", "sD", "sP", "sI", "logn")
esconv <- subset(reference("failed_esconv_design.csv"), !is.na(final))

# F1: distress after the chat; F2: empathy.
put("F1", "clm", "rows", nrow(esconv))
put_ordinal("F1", "clm", clm(reformulate(c("init", strategies), "factor(final)"), data = esconv))
put_ordinal("F2", "clm", clm(reformulate(strategies, "factor(emp)"), data = esconv))

# F1-ols: the same as numbers, with errors by kind of problem.
fit <- lm(reformulate(c("init", strategies), "final"), esconv)
put("F1-ols", "ols", "clusters", length(unique(esconv$problem)))
put_linear("F1-ols", "ols", fit)
put("F1-ols", "ols", "se_clustered", errors(sandwich::vcovCL(fit, esconv$problem, type = "HC1")))

# F3: feedback on single messages.
feedback <- reference("failed_esconv_feedback_design.csv")
feedback$conv <- factor(feedback$conv)
used <- c("pQ", "pS", "pA", "pR", "pD", "pP", "pI", "nprev")
ordered_feedback <- reformulate(used, "factor(fb)")
put_ordinal("F3", "clm", clm(ordered_feedback, data = feedback))
fit <- polr_to_the_end(ordered_feedback, feedback)
put("F3", "polr", "estimate", coef(fit))
put("F3", "polr", "se_clustered", errors(sandwich::vcovCL(fit, feedback$conv, type = "HC1")))
random <- reformulate(c(used, "(1 | conv)"), "factor(fb)")
put_ordinal_random("F3", "clmm", clmm(random, data = feedback, nAGQ = 10))
put_ordinal_random("F3", "clmm_laplace", clmm(random, data = feedback))
put_mixed("F3", "lmer", lmer(reformulate(c(used, "(1 | conv)"), "fb"), feedback))
split <- c(outer(c("Q", "S", "A", "R", "D", "P", "I"), c("w", "m"), function(letter, level) paste0(level, letter)))
put_mixed("F3", "lmer_mundlak", lmer(reformulate(c(split, "nprev", "(1 | conv)"), "fb"), feedback))
fit <- lm(reformulate(used, "fb"), feedback)
put_linear("F3", "ols", fit)
put("F3", "ols", "se_clustered", errors(sandwich::vcovCL(fit, feedback$conv, type = "HC1")))
tests <- clubSandwich::coef_test(fit, vcov = "CR2", cluster = feedback$conv, test = "Satterthwaite")
put("F3", "ols_cr2", "estimate", tests$beta, names(coef(fit)))
put("F3", "ols_cr2", "se", tests$SE, names(coef(fit)))
put("F3", "ols_cr2", "df", tests$df, names(coef(fit)))
put("F3", "ols_cr2", "p", tests$p_Satt, names(coef(fit)))

# AnnoMI: sessions and utterances of good and poor counseling ----------------------------------------------------------

# A1: quality of a session by its talk, with reflections as the reference, and with other talk.
sessions <- reference("annomi_quality_design.csv")
for (model in c("logit", "logit_other")) {
  last <- if (model == "logit") "s_other" else "s_reflection"
  formula <- reformulate(c("s_question", "s_therapist_input", last, "logn"), "high")
  put_linear("A1", model, glm(formula, binomial, sessions, control = strict))
}

# A3: whether an utterance is a reflection.
utterances <- reference("annomi_reflection_design.csv")
for (working in c("exchangeable", "independence")) {
  fit <- geepack::geeglm(refl ~ high, id = session, data = utterances, family = binomial, corstr = working)
  model <- paste0("gee_", working)
  put_linear("A3", model, fit)
  if (working == "exchangeable") put("A3", model, "correlation", fit$geese$alpha, "")
}
put_mixed("A3", "glmer", glmer(refl ~ high + (1 | session), utterances, binomial, nAGQ = 10))

# Simulated data of which the truth is known ---------------------------------------------------------------------------

known <- read.csv(arguments[2])
known$counselor <- factor(known$counselor)
known$client <- factor(known$client)
techniques <- c("refl_w", "ques_w", "adv_w", "refl_b", "ques_b", "adv_b")
put("known_truth", "data", "mean_post", mean(known$post))
put("known_truth", "data", "count", table(known$rating))

put_mixed("known_truth", "lmer", lmer(reformulate(c(techniques, "pre", "(1 | counselor)"), "post"), known))
crossed <- reformulate(c(techniques, "pre", "(1 | counselor)", "(1 | client)"), "post")
put_mixed("known_truth", "lmer_crossed", lmer(crossed, known))
random <- reformulate(c(techniques, "(1 | counselor)"), "factor(rating)")
put_ordinal_random("known_truth", "clmm", clmm(random, data = known, nAGQ = 10))

ordered_rating <- reformulate(techniques, "factor(rating)")
put_ordinal("known_truth", "clm", clm(ordered_rating, data = known))
fit <- polr_to_the_end(ordered_rating, known)
clustered <- sandwich::vcovCL(fit, known$counselor, type = "HC1")
put("known_truth", "polr", "estimate", coef(fit))
put("known_truth", "polr", "se_clustered", errors(clustered))

# The average change of the probability of each rating, and of the expected rating, per unit of refl_w.
marginal <- function(parameters) {
  slopes <- parameters[techniques]
  thresholds <- parameters[!names(parameters) %in% techniques]
  predictor <- as.matrix(known[techniques]) %*% slopes
  density <- cbind(0, sapply(thresholds, function(cut) mean(dlogis(cut - predictor))) |> t(), 0)
  effects <- -slopes[["refl_w"]] * diff(c(density))
  c(effects, sum(seq_along(effects) * effects))
}
parameters <- c(coef(fit), fit$zeta)
jacobian <- numDeriv::jacobian(function(x) marginal(setNames(x, names(parameters))), parameters)
put("known_truth", "marginal_refl_w", "estimate", marginal(parameters), c(1:5, "expected"))
put("known_truth", "marginal_refl_w", "se", errors(jacobian %*% clustered %*% t(jacobian)), c(1:5, "expected"))

values <- do.call(rbind, rows)
values$value <- formatC(values$value, digits = 11, format = "g", width = 1)
write.csv(values, stdout(), row.names = FALSE, quote = FALSE)
