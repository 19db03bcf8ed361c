/* The figures of ended requests, forty bytes each; the twin is a list of tuples. */
#include "speed.h"

int add_sample(Samples *samples, Sample sample)
{
    if (samples->count == samples->room) {
        Py_ssize_t room = samples->room ? samples->room * 2 : 64;
        Sample *data = PyMem_Realloc(samples->data, room * sizeof(Sample));
        if (data == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        samples->data = data;
        samples->room = room;
    }
    samples->data[samples->count++] = sample;
    return 0;
}

static PyObject *append(PyObject *self, PyObject *given)
{
    Sample sample;
    long long *figures = sample.figures;
    if (!PyTuple_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "a sample should be a tuple of five numbers");
        return NULL;
    }
    if (!PyArg_ParseTuple(given, "LLLLL", figures, figures + 1, figures + 2, figures + 3,
                          figures + 4) ||
        add_sample((Samples *)self, sample) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* Take all: five lists, one a figure. */
static PyObject *take(PyObject *self, PyObject *unused)
{
    Samples *samples = (Samples *)self;
    Py_ssize_t count = samples->count;
    Sample *data = samples->data;
    samples->data = NULL;
    samples->count = samples->room = 0;
    PyObject *columns = PyTuple_New(5);
    for (int column = 0; columns != NULL && column < 5; column++) {
        PyObject *list = PyList_New(count);
        for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
            PyObject *figure = PyLong_FromLongLong(data[i].figures[column]);
            if (figure == NULL)
                Py_CLEAR(list);
            else
                PyList_SET_ITEM(list, i, figure);
        }
        if (list == NULL)
            Py_CLEAR(columns);
        else
            PyTuple_SET_ITEM(columns, column, list);
    }
    PyMem_Free(data);
    return columns;
}

static Py_ssize_t length(PyObject *self) { return ((Samples *)self)->count; }

static void free_samples(PyObject *self)
{
    PyMem_Free(((Samples *)self)->data);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
    {"append", append, METH_O, NULL},
    {"take", take, METH_NOARGS, NULL},
    {NULL},
};

static PySequenceMethods sequence = {.sq_length = length};

PyTypeObject SamplesType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "wf_instrument.speed._compiled.Samples",
    .tp_basicsize = sizeof(Samples),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = free_samples,
    .tp_as_sequence = &sequence,
    .tp_methods = methods,
};
