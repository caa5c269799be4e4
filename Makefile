# Every target is a line or two; the work is done in scripts/.
# NGINX_PORT=8089 is where `make run` and the container listen.

.DEFAULT_GOAL := help
export NGINX_PORT ?= 8089

CURL = curl -sS --fail-with-body -H Host:example.com
URL = http://localhost:$(NGINX_PORT)
TOKEN = $$(cat keys/prod_test_jwt.txt)

.PHONY: help run stop test build private_key.pem public_key.pem prod_test_jwt.txt \
	build_ojwt_nginx run_ojwt_nginx stop_ojwt_nginx exec_nginx test_ojwt_nginx test_nginx \
	test_python test_memory test_miri matrix deb sbom reproducible fuzz curl_hello_world \
	curl_token_health_check curl_verbose_token_check faults soak bench nginx_tests clean

help: ## list the targets
	@sed -n 's/^\([a-z_.]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  %-26s %s\n", $$1, $$2 }'

run: ## install what is missing, build, and start nginx with the example on 127.0.0.1:NGINX_PORT
	scripts/setup run
	scripts/build otools && scripts/keys && scripts/build module && scripts/run

stop: ## end the nginx that `make run` started
	scripts/stop

test: ## every test: unit, nginx, Python, faults, memory, fuzz, containers, packages
	scripts/setup test
	scripts/test

build: ## build dist/ngx_http_ojwt_module.so and dist/otools
	scripts/setup build
	scripts/build

private_key.pem: ## make keys/private_key.pem, if there is none
	scripts/setup build && scripts/build otools && scripts/keys

public_key.pem: private_key.pem ## make keys/public_key.pem, if there is none

prod_test_jwt.txt: private_key.pem ## make keys/prod_test_jwt.txt, a token for example.com, if there is none

build_ojwt_nginx: ## build the container image ojwt-nginx
	scripts/setup run
	scripts/container build

run_ojwt_nginx: build_ojwt_nginx ## start the container on 127.0.0.1:NGINX_PORT
	scripts/container run

stop_ojwt_nginx: ## stop the container
	scripts/container stop

exec_nginx: ## open a shell in the container
	docker exec -it ojwt-nginx sh

curl_hello_world: ## fetch the protected file with the test token
	$(CURL) "$(URL)/protected/hello_world.txt?jwt=$(TOKEN)"

curl_token_health_check: ## ask the health check about the test token
	$(CURL) -H "Authorization: Bearer $(TOKEN)" $(URL)/token-health-check

curl_verbose_token_check: ## the same, with the response headers
	$(CURL) -v -H "Authorization: Bearer $(TOKEN)" $(URL)/token-health-check

test_ojwt_nginx: ## the container test: build, run, curl, stop
	scripts/setup test
	scripts/check/container

test_nginx: ## the integration tests in the nginx that is installed
	scripts/setup test
	scripts/test nginx

test_python: ## the tests of the Python package
	scripts/setup test
	scripts/check/python

test_memory: ## the module and the core under AddressSanitizer, over a thousand reloads (takes half an hour)
	scripts/setup test
	scripts/check/memory 1000

test_miri: ## what in the core reads and compares, in Miri
	scripts/setup test
	scripts/check/miri

matrix: ## the integration tests in many versions and builds of nginx (takes half an hour and more)
	scripts/setup matrix
	scripts/matrix/run

deb: ## build dist/libnginx-mod-http-ojwt_*.deb and dist/ojwt-tools_*.deb
	scripts/setup deb
	scripts/deb

sbom: ## write dist/ojwt.cdx.json, a bill of materials in CycloneDX
	scripts/setup build
	scripts/supply/sbom

reproducible: ## build twice in different folders, and compare the bytes (takes minutes)
	scripts/setup build
	scripts/check/reproducible

fuzz: ## put random inputs to the core, a minute for each target
	scripts/setup test
	scripts/check/fuzz

faults: ## put faults to nginx under load, and count what comes of each request (takes minutes)
	scripts/setup test
	scripts/measure/faults

soak: ## watch nginx's memory over requests, key rotations and reloads (takes minutes)
	scripts/setup test
	scripts/measure/soak

bench: ## measure beside the peers that can be installed
	scripts/setup test
	scripts/measure/bench

nginx_tests: ## nginx's own tests, with and without the module (NGINX_TESTS=DIR, a checkout of nginx-tests)
	scripts/check/nginx-tests

clean: stop ## remove everything that was built; keys stay
	cargo clean
	rm -rf dist run
