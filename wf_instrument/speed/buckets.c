/* Where the values of a histogram belong; a short cut of
 * wf_instrument.metrics.exponential_buckets.BucketSet._put_sorted.
 */
#include "speed.h"

#include <math.h>

/* Buckets between the lowest and the highest of one call; of more, Python finds the way. */
#define MAX_SPAN 4096

/* Index of the bucket of a value above 0; as `bucket_index` of a scale above 0. */
static long long index_of(double value, int scale)
{
    int exponent;
    double mantissa = frexp(value, &exponent);
    long long low = ((long long)exponent - 1) * (1LL << scale);
    long long high = (long long)exponent * (1LL << scale);
    if (mantissa == 0.5)
        return low - 1; /* a power of two is the upper bound of its bucket, exactly */
    long long index = (long long)ceil((exponent + log2(mantissa)) * (double)(1LL << scale)) - 1;
    /* Rounding must not move a value out of its octave. */
    return index < low ? low : index >= high ? high - 1 : index;
}

static int add_to(PyObject *dictionary, PyObject *key, PyObject *more)
{
    PyObject *known = PyDict_GetItemWithError(dictionary, key);
    if (known == NULL)
        return PyErr_Occurred() ? -1 : PyDict_SetItem(dictionary, key, more);
    PyObject *sum = PyNumber_Add(known, more);
    int failed = sum == NULL ? -1 : PyDict_SetItem(dictionary, key, sum);
    Py_XDECREF(sum);
    return failed;
}

/* put_values(values, scale, counts, sums): whether all were put; otherwise none was. */
PyObject *put_values(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyList_CheckExact(args[0]) || !PyDict_CheckExact(args[2]) ||
        !PyDict_CheckExact(args[3])) {
        PyErr_SetString(PyExc_TypeError, "put_values() takes a list, a scale and two dicts");
        return NULL;
    }
    long scale = PyLong_AsLong(args[1]);
    if (PyErr_Occurred())
        return NULL;
    Py_ssize_t number = PyList_GET_SIZE(args[0]);
    if (scale < 1 || scale > 20 || number == 0)
        Py_RETURN_FALSE;
    long long low = 0, high = 0;
    for (Py_ssize_t i = 0; i < number; i++) {
        PyObject *value = PyList_GET_ITEM(args[0], i);
        if (!PyFloat_CheckExact(value) || !(PyFloat_AS_DOUBLE(value) > 0.0) ||
            isinf(PyFloat_AS_DOUBLE(value)))
            Py_RETURN_FALSE;
    }
    /* Between them lie all: the index grows with the value. */
    double least = PyFloat_AS_DOUBLE(PyList_GET_ITEM(args[0], 0)), most = least;
    for (Py_ssize_t i = 1; i < number; i++) {
        double value = PyFloat_AS_DOUBLE(PyList_GET_ITEM(args[0], i));
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    low = index_of(least, (int)scale);
    high = index_of(most, (int)scale);
    if (high - low >= MAX_SPAN)
        Py_RETURN_FALSE;
    long long span = high - low + 1;
    double *sums = PyMem_Calloc(span, sizeof(double));
    long long *counts = PyMem_Calloc(span, sizeof(long long));
    int failed = sums == NULL || counts == NULL;
    if (failed)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < number && !failed; i++) {
        double value = PyFloat_AS_DOUBLE(PyList_GET_ITEM(args[0], i));
        long long at = index_of(value, (int)scale) - low;
        at = at < 0 ? 0 : at >= span ? span - 1 : at; /* log2 grows, but for rounding */
        sums[at] += value;
        counts[at]++;
    }
    for (long long at = 0; at < span && !failed; at++) {
        if (counts[at] == 0)
            continue;
        PyObject *key = PyLong_FromLongLong(low + at);
        PyObject *more = PyLong_FromLongLong(counts[at]);
        PyObject *sum = PyFloat_FromDouble(sums[at]);
        failed = key == NULL || more == NULL || sum == NULL || add_to(args[2], key, more) < 0 ||
                 add_to(args[3], key, sum) < 0;
        Py_XDECREF(key);
        Py_XDECREF(more);
        Py_XDECREF(sum);
    }
    PyMem_Free(sums);
    PyMem_Free(counts);
    if (failed)
        return NULL;
    Py_RETURN_TRUE;
}
