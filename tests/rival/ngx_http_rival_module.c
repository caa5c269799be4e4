/* Another module with names of ours, for tests/integration/second_names.rs, which compiles it.
 *
 * BEFORE puts it before ours in nginx's list of modules; else it comes after.
 * VARIABLES registers $jwt_claims, $jwt_claim_... and $jwt_header_...; CLAIM registers $jwt_claim_sub alone.
 * NO_DIRECTIVES leaves the directives out, and ONLY_AUTH_JWT all but `auth_jwt`. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

typedef struct {
    ngx_str_t  realm;
    ngx_str_t  key_file;
} rival_conf_t;

static ngx_int_t preconfiguration(ngx_conf_t *cf);
static ngx_int_t postconfiguration(ngx_conf_t *cf);
static void *create_conf(ngx_conf_t *cf);
static char *merge_conf(ngx_conf_t *cf, void *parent, void *child);

static ngx_command_t  commands[] = {

#ifndef NO_DIRECTIVES
    { ngx_string("auth_jwt"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(rival_conf_t, realm),
      NULL },

#ifndef ONLY_AUTH_JWT
    { ngx_string("auth_jwt_key_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(rival_conf_t, key_file),
      NULL },
#endif
#endif

    ngx_null_command
};

static ngx_http_module_t  context = {
    preconfiguration, postconfiguration, NULL, NULL, NULL, NULL, create_conf, merge_conf
};

ngx_module_t  ngx_http_rival_module = {
    NGX_MODULE_V1,
    &context,
    commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};

ngx_module_t  *ngx_modules[] = { &ngx_http_rival_module, NULL };
char  *ngx_module_names[] = { "ngx_http_rival_module", NULL };

#ifdef BEFORE
char  *ngx_module_order[] = {
    "ngx_http_rival_module", "ngx_http_ojwt_module", "ngx_http_gunzip_filter_module",
    "ngx_http_headers_filter_module", NULL
};
#else
char  *ngx_module_order[] = { NULL };
#endif

#if defined(VARIABLES) || defined(CLAIM)

static ngx_int_t
value(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_memzero(v, sizeof(ngx_http_variable_value_t));
    v->valid = 1;
    v->len = sizeof("rival") - 1;
    v->data = (u_char *) "rival";
    return NGX_OK;
}

static ngx_http_variable_t  variables[] = {
#ifdef VARIABLES
    { ngx_string("jwt_claims"), NULL, value, 0, 0, 0 },
    { ngx_string("jwt_claim_"), NULL, value, 0, NGX_HTTP_VAR_PREFIX, 0 },
    { ngx_string("jwt_header_"), NULL, value, 0, NGX_HTTP_VAR_PREFIX, 0 },
#endif
#ifdef CLAIM
    { ngx_string("jwt_claim_sub"), NULL, value, 0, 0, 0 },
#endif
    ngx_http_null_variable
};

static ngx_int_t
preconfiguration(ngx_conf_t *cf)
{
    ngx_http_variable_t  *v, *added;

    for (v = variables; v->name.len; v++) {
        added = ngx_http_add_variable(cf, &v->name, v->flags);
        if (added == NULL) {
            return NGX_ERROR;
        }
        added->get_handler = v->get_handler;
        added->data = v->data;
    }

    return NGX_OK;
}

#else

static ngx_int_t
preconfiguration(ngx_conf_t *cf)
{
    return NGX_OK;
}

#endif

/* Its gate lets nobody in. */
static ngx_int_t
access_handler(ngx_http_request_t *r)
{
    rival_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_rival_module);
    return conf->realm.len ? NGX_HTTP_FORBIDDEN : NGX_DECLINED;
}

static ngx_int_t
postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *handler;
    ngx_http_core_main_conf_t  *core;

    core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    handler = ngx_array_push(&core->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }
    *handler = access_handler;
    return NGX_OK;
}

static void *
create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(rival_conf_t));
}

static char *
merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    rival_conf_t  *outer = parent;
    rival_conf_t  *inner = child;

    ngx_conf_merge_str_value(inner->realm, outer->realm, "");
    ngx_conf_merge_str_value(inner->key_file, outer->key_file, "");
    return NGX_CONF_OK;
}
