# cython: language_level=3
"""The step of the log loss on one row, as far as the row alone decides how far it goes."""

from sk_gd.losses.exponentials cimport sk_gd_exponentials  # no-cython-lint: for the C below

cdef extern from *:
    """
    /* A Newton step no longer than this is the last. */
    #define SK_GD_CLOSE 1.0
    /* The most Newton steps. */
    #define SK_GD_STEPS 200

    /* p = softmax(u). One score is that of the second of two classes; the first has zero. The loops
       run along the scores of one row, those of SoftmaxKernel along the rows of a block. */
    SK_GD_CLONES static void sk_gd_softmax(
        const double *u, double *__restrict p, ptrdiff_t n
    ) {
        if (n == 1) {
            *p = 1 / (1 + exp(-*u));
            return;
        }
        double most[4] = {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL, -HUGE_VAL}, sum[4] = {0};
        for (ptrdiff_t k = 0; k < n; k += 4)
            for (int l = 0; l < 4; l++) most[l] = u[k + l] > most[l] ? u[k + l] : most[l];
        for (int l = 1; l < 4; l++) most[0] = most[l] > most[0] ? most[l] : most[0];
        for (ptrdiff_t k = 0; k < n; k++) p[k] = u[k] - most[0];
        sk_gd_exponentials(p, n);
        for (ptrdiff_t k = 0; k < n; k += 4)
            for (int l = 0; l < 4; l++) sum[l] += p[k + l];
        sum[0] = 1 / ((sum[0] + sum[2]) + (sum[1] + sum[3]));
        for (ptrdiff_t k = 0; k < n; k++) p[k] *= sum[0];
    }

    /* The same as below for one score. */
    static inline void sk_gd_proximal_logistic(
        double *u, double *p, double old, double s, double q
    ) {
        for (int t = 0; t < SK_GD_STEPS; t++) {
            const double move = (*u - s + q * (*p - old)) / (1 + q * *p * (1 - *p));
            const double apart = fabs(move);
            *u -= apart > SK_GD_CLOSE ? log1p(apart) / apart * move : move;
            sk_gd_softmax(u, p, 1);
            if (apart <= SK_GD_CLOSE) return;
        }
    }

    /* Scores u with u = s - q (p - old), where p = softmax(u) are their probabilities. All arrays
       have n numbers, one or a multiple of four; beyond the classes the scores are -HUGE, and the
       probabilities zero. On entry u and p = softmax(u) are where Newton's method begins; x is a
       buffer. The Hessian is a diagonal and one product of vectors. A step whose numbers lie d
       apart is shortened to log(1 + d) / d of it, so that the function of which u is the minimum
       falls in every step (Sun & Tran-Dinh, 2019). */
    SK_GD_CLONES static void sk_gd_proximal_softmax(
        double *__restrict u, double *__restrict p, double *__restrict x, const double *old,
        const double *s, double q, ptrdiff_t n
    ) {
        if (n == 1) {
            sk_gd_proximal_logistic(u, p, *old, *s, q);
            return;
        }
        for (int t = 0; t < SK_GD_STEPS; t++) {
            double along[4] = {0}, whole[4] = {0}, most[4], least[4];
            for (ptrdiff_t k = 0; k < n; k += 4)
                for (int l = 0; l < 4; l++) {
                    const double share = p[k + l], inverse = 1 / (1 + q * share);
                    x[k + l] = ((u[k + l] - s[k + l]) + q * (share - old[k + l])) * inverse;
                    along[l] += share * x[k + l];
                    p[k + l] = share * inverse;
                    whole[l] += p[k + l];
                }
            const double c = q * ((along[0] + along[2]) + (along[1] + along[3]))
                / ((whole[0] + whole[2]) + (whole[1] + whole[3]));
            for (int l = 0; l < 4; l++) most[l] = least[l] = 0;
            for (ptrdiff_t k = 0; k < n; k += 4)
                for (int l = 0; l < 4; l++) {
                    const double move = x[k + l] + c * p[k + l];
                    x[k + l] = move;
                    most[l] = move > most[l] ? move : most[l];
                    least[l] = move < least[l] ? move : least[l];
                }
            for (int l = 1; l < 4; l++) {
                most[0] = most[l] > most[0] ? most[l] : most[0];
                least[0] = least[l] < least[0] ? least[l] : least[0];
            }
            const double apart = most[0] - least[0];
            const double step = apart > SK_GD_CLOSE ? log1p(apart) / apart : 1;
            for (ptrdiff_t k = 0; k < n; k++) u[k] -= step * x[k];
            sk_gd_softmax(u, p, n);
            if (apart <= SK_GD_CLOSE) return;
        }
    }
    """
    void softmax "sk_gd_softmax"(const double *, double *, Py_ssize_t) noexcept nogil
    void proximal_softmax "sk_gd_proximal_softmax"(
        double *, double *, double *, const double *, const double *, double, Py_ssize_t
    ) noexcept nogil
