/* The handle of a route; a short cut of wf_instrument.web.recorder.Recorder.handle.
 *
 * In front of the recorder's dictionary, whose keys would be made and hashed anew for each request,
 * stands a table of what was found of late: a route's place in it is told by its address.
 */
#include "speed.h"

/* Entries, a power of two. */
#define PLACES 256

/* An entry: route, method, scheme, protocol, handle. */
#define FIELDS 5

static PyObject *empty_table(void)
{
    PyObject *table = PyList_New(PLACES * FIELDS);
    for (Py_ssize_t i = 0; table != NULL && i < PLACES * FIELDS; i++) {
        Py_INCREF(Py_None);
        PyList_SET_ITEM(table, i, Py_None);
    }
    return table;
}

static PyObject **entry_of(Recorder *recorder, PyObject *route, PyObject *method)
{
    uintptr_t place = (uintptr_t)route >> 4 ^ (uintptr_t)route >> 12;
    if (PyUnicode_CheckExact(method) && PyUnicode_IS_COMPACT_ASCII(method))
        place += ((char *)PyUnicode_DATA(method))[0] + PyUnicode_GET_LENGTH(method);
    return ((PyListObject *)recorder->found)->ob_item + place % PLACES * FIELDS;
}

/* As `look_up`, by the recorder's dictionary; what it had is put into the table. */
static PyObject *look_further(Recorder *recorder, PyObject *asked[4])
{
    PyObject *id = PyLong_FromVoidPtr(asked[0]);
    if (id == NULL)
        return NULL;
    PyObject *key = PyTuple_Pack(4, id, asked[1], asked[2], asked[3]);
    Py_DECREF(id);
    if (key == NULL)
        return NULL;
    PyObject *handle = PyDict_GetItemWithError(recorder->handles, key);
    Py_XINCREF(handle);
    Py_DECREF(key);
    if (handle == NULL && !PyErr_Occurred())
        return PyObject_CallMethodObjArgs((PyObject *)recorder, s_handle, asked[0], asked[1],
                                          asked[2], asked[3], NULL);
    if (handle == NULL)
        return NULL;
    if (absent(recorder->found)) {
        PyObject *table = empty_table();
        put(&recorder->found, table);
        Py_XDECREF(table);
    }
    if (absent(recorder->found)) {
        PyErr_Clear(); /* no memory for it: then without */
        return handle;
    }
    PyObject **entry = entry_of(recorder, asked[0], asked[1]);
    /* The route last: without it the rest is not looked at. */
    put(&entry[0], Py_None);
    put(&entry[4], handle);
    for (int i = 3; i >= 0; i--)
        put(&entry[i], asked[i]);
    return handle;
}

Handle *look_up(Recorder *recorder, PyObject *route, PyObject *method, PyObject *scheme,
                PyObject *protocol)
{
    if (!absent(recorder->found)) {
        PyObject **entry = entry_of(recorder, route, method);
        if (entry[0] == route && entry[4] != Py_None && is_same(entry[1], method) && is_same(entry[2], scheme) &&
            is_same(entry[3], protocol)) {
            Py_INCREF(entry[4]);
            return (Handle *)entry[4];
        }
    }
    PyObject *asked[4] = {route, method, scheme, protocol};
    PyObject *handle = look_further(recorder, asked);
    if (handle != NULL && !IS_HANDLE(handle)) {
        Py_DECREF(handle);
        PyErr_SetString(PyExc_TypeError, "a recorder's handle should be a RouteHandle");
        return NULL;
    }
    return (Handle *)handle;
}
