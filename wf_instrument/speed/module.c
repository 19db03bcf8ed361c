/* The module `wf_instrument.speed._compiled`: optional; the twins in Python do the same. */
#include "speed.h"

#define DEFINE(name) PyObject *py_##name;
LINKED(DEFINE)
#define DEFINE_NAME(name) PyObject *s_##name;
NAMES(DEFINE_NAME)
KEYS(DEFINE_KEY)
PyObject *n_64, *n_192, *s_no_host;

/* link(name=object, ...): take what the fast paths need of Python. */
static PyObject *link_objects(PyObject *module, PyObject *args, PyObject *given)
{
    static const struct {
        const char *name;
        PyObject **slot;
    } slots[] = {
#define SLOT(name) {#name, &py_##name},
        LINKED(SLOT)};
    PyObject *key, *value;
    Py_ssize_t position = 0;
    if (PyTuple_GET_SIZE(args) != 0 || given == NULL) {
        PyErr_SetString(PyExc_TypeError, "link() takes keyword arguments");
        return NULL;
    }
    while (PyDict_Next(given, &position, &key, &value)) {
        size_t i = 0, count = sizeof(slots) / sizeof(slots[0]);
        while (i < count && PyUnicode_CompareWithASCIIString(key, slots[i].name) != 0)
            i++;
        if (i == count)
            return PyErr_Format(PyExc_TypeError, "link() knows no %R", key);
        put(slots[i].slot, value);
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"link", (PyCFunction)(void (*)(void))link_objects, METH_VARARGS | METH_KEYWORDS, NULL},
    {"put_values", (PyCFunction)(void (*)(void))put_values, METH_FASTCALL, NULL},
    {"stepped", (PyCFunction)(void (*)(void))make_stepped, METH_FASTCALL, NULL},
    {"coroutine_method", (PyCFunction)(void (*)(void))coroutine_method, METH_FASTCALL, NULL},
    {"noting_method", (PyCFunction)(void (*)(void))noting_method, METH_FASTCALL, NULL},
    {NULL},
};

static int fill(PyObject *module)
{
    /* What is linked belongs to one interpreter; in others the twins run. */
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "not for sub-interpreters");
        return -1;
    }
#define INTERN(name)                                                                           \
    if ((s_##name = PyUnicode_InternFromString(#name)) == NULL)                                \
        return -1;
    NAMES(INTERN)
    KEYS(INTERN_KEY)
    n_64 = PyLong_FromLong(64);
    n_192 = PyLong_FromLong(192);
    s_no_host = PyBytes_FromStringAndSize(NULL, 0);
    if (n_64 == NULL || n_192 == NULL || s_no_host == NULL || PyModule_AddType(module, &SamplesType) < 0 ||
        PyType_Ready(&WsgiBodyType) < 0 || PyType_Ready(&SteppedType) < 0 ||
        PyType_Ready(&SendingType) < 0 || PyType_Ready(&MethodType) < 0)
        return -1;
    /* As `_EDITION` in short_cuts.py: what was built of other sources is not used. */
    return PyModule_AddIntConstant(module, "EDITION", 4) < 0 ? -1 : add_states(module);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_compiled",
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&definition);
}
