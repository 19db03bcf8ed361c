/* Which route serves a request: short cuts of `_route_of` in integrations.flask, of `route_of` in
 * integrations.django._routes, and of `RouteFinder` and `noted` in integrations._starlette_routes.
 * What is not ordinary goes to the twin.
 */
#include "speed.h"

/* The rule that Flask noted in its request; NULL without an error where the twin is to look. */
static PyObject *rule_of(PyObject *environ)
{
    if (!PyDict_CheckExact(environ) || PyList_GET_SIZE(py_asgi_drivers) != 0)
        return NULL;
    PyObject *request = PyDict_GetItemWithError(environ, s_werkzeug_request);
    if (absent(request))
        return NULL;
    Py_INCREF(request);
    PyObject *rule = PyObject_GetAttr(request, s_url_rule);
    Py_DECREF(request);
    if (rule == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        Py_INCREF(Py_None);
        rule = Py_None;
    }
    return rule;
}

/* Whether FastAPI serves this route by way of an included router: 1, 0, or -1 on error. */
static int is_included(PyObject *scope, PyObject *route, PyObject **context)
{
    PyObject *fastapi = PyDict_GetItemWithError(scope, s_fastapi);
    if (fastapi == NULL || !PyDict_CheckExact(fastapi))
        return fastapi == NULL && !PyErr_Occurred() ? 0 : -1;
    *context = PyDict_GetItemWithError(fastapi, s_effective_route_context);
    if (absent(*context))
        return PyErr_Occurred() ? -1 : 0;
    Py_INCREF(*context);
    PyObject *original = PyObject_GetAttr(*context, s_original_route);
    int is_included = original == NULL ? -1 : original == route;
    Py_XDECREF(original);
    if (is_included != 1)
        Py_DECREF(*context);
    return is_included;
}

/* Whether nothing but a view can be behind a route. */
static int is_leaf(PyObject *route)
{
    static PyObject *last; /* most are of one class, and what is one stays one */
    PyObject *type = (PyObject *)Py_TYPE(route);
    if (type == last)
        return 1;
    if (!PyAnySet_Check(py_route_leaves) || PySet_Contains(py_route_leaves, type) != 1)
        return 0;
    put(&last, type);
    return 1;
}

/* The one route that noted itself; NULL without an error where the twin is to look. */
static PyObject *route_noted(PyObject *scope)
{
    PyObject *request =
        PyDict_CheckExact(scope) ? PyDict_GetItemWithError(scope, s_request_key) : NULL;
    if (request == NULL || Py_TYPE(request) != (PyTypeObject *)py_asgi_request)
        return NULL;
    PyObject *parts = ((Record *)request)->mounts;
    if (parts == NULL || !PyTuple_CheckExact(parts) || PyTuple_GET_SIZE(parts) != 1)
        return NULL;
    PyObject *route = PyTuple_GET_ITEM(parts, 0), *context = NULL;
    Py_INCREF(route);
    int included = is_included(scope, route, &context);
    if (included == 1) {
        Py_DECREF(route);
        return context;
    }
    if (included != 0 || !is_leaf(route))
        Py_CLEAR(route);
    return route;
}

PyObject *route_of(Driver *driver, PyObject *asked)
{
    PyObject *route = NULL;
    if (driver->route_of == py_flask_route)
        route = rule_of(asked);
    else if (driver->route_of == py_django_route && PyDict_CheckExact(asked)) {
        route = PyDict_GetItemWithError(asked, s_django_route);
        Py_XINCREF(route);
    } else if ((PyObject *)Py_TYPE(driver->route_of) == py_route_finder)
        route = route_noted(asked);
    if (route != NULL)
        return route;
    PyErr_Clear(); /* the twin meets it too */
    return PyObject_CallOneArg(driver->route_of, asked);
}

/* noted(route, scope, receive, send): have the request note the route, then call its `handle`. */
PyObject *call_noted(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    Method *method = (Method *)self;
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (count != 4 || names != NULL || !PyDict_CheckExact(args[1]))
        return PyObject_Vectorcall(method->twin, args, count, names);
    PyObject *request = PyDict_GetItemWithError(args[1], s_request_key);
    if (request != NULL && Py_TYPE(request) == (PyTypeObject *)py_asgi_request) {
        PyObject *parts = ((Record *)request)->mounts;
        Py_ssize_t passed =
            parts != NULL && PyTuple_CheckExact(parts) ? PyTuple_GET_SIZE(parts) : -1;
        if (passed == 0) {
            PyObject *noted = PyTuple_Pack(1, args[0]);
            if (noted == NULL)
                return NULL;
            put(&((Record *)request)->mounts, noted);
            Py_DECREF(noted);
            return PyObject_Vectorcall(method->short_cut, args, count, NULL);
        }
        if (passed > 0 && PyTuple_GET_ITEM(parts, passed - 1) == args[0])
            return PyObject_Vectorcall(method->short_cut, args, count, NULL);
    }
    PyErr_Clear(); /* the twin meets it too */
    return PyObject_Vectorcall(method->twin, args, count, NULL);
}
