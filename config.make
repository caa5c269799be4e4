# Appended to nginx's Makefile: the Rust library, built for the nginx that is being configured.

case $NGX_OBJS in
    /*) ojwt_objs=$NGX_OBJS ;;
    *)  ojwt_objs=$PWD/$NGX_OBJS ;;
esac
ojwt_lib=$NGX_OBJS/ojwt/release/libngx_http_ojwt_module.a

# The library's recipe is empty: without one GNU make would keep the time that it read before cargo ran, and
# link what cargo makes now in the next run.
cat << END >> $NGX_MAKEFILE

.PHONY:	ojwt

ojwt:
	cd "$ngx_addon_dir" && NGINX_SOURCE_DIR="$PWD" NGINX_BUILD_DIR="$ojwt_objs" \\
		cargo rustc --locked --release --package ojwt --lib --no-default-features \\
		--crate-type staticlib --target-dir "$ojwt_objs/ojwt"

$ojwt_lib:	ojwt ;

END

# Whatever links it waits for it.
case " $DYNAMIC_MODULES " in
    *" ngx_http_ojwt_module "*)
        echo "$NGX_OBJS/ngx_http_ojwt_module.so:	$ojwt_lib" >> $NGX_MAKEFILE ;;
    *)
        echo "$NGX_OBJS/nginx:	$ojwt_lib" >> $NGX_MAKEFILE ;;
esac
