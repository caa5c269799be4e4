# Every target is a line or two; the work is done in scripts/.
# NGINX_PORT=8089 is where `make run` and the container listen.

.DEFAULT_GOAL := help
export NGINX_PORT ?= 8089

CURL = curl -sS --fail-with-body -H Host:example.com
URL = http://localhost:$(NGINX_PORT)
TOKEN = $$(cat keys/prod_test_jwt.txt)

.PHONY: help run stop build lint check test private_key.pem public_key.pem prod_test_jwt.txt \
	curl_hello_world curl_token_health_check curl_verbose_token_check build_ojwt_nginx \
	run_ojwt_nginx stop_ojwt_nginx exec_nginx test_nginx test_python test_ojwt_nginx test_memory \
	test_miri fuzz faults matrix nginx_tests bench soak deb sbom reproducible clean

##@ Every day

help: ## list the targets
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z_.]+:.*## / { printf "  %-26s %s\n", $$1, $$2 }' Makefile

run: ## install what is missing, build, and start nginx with the example on 127.0.0.1:NGINX_PORT
	scripts/setup run
	scripts/build otools && scripts/keys && scripts/build module && scripts/run

stop: ## end the nginx that `make run` started
	scripts/stop

build: ## build dist/ngx_http_ojwt_module.so and dist/otools
	scripts/setup build
	scripts/build

lint: ## formatting, clippy, shellcheck
	scripts/setup check
	scripts/test formatting clippy shellcheck

check: ## lint, unit tests, and a test in nginx: two minutes, once built
	scripts/setup check
	scripts/test formatting clippy shellcheck unit smoke

test: ## every test: unit, nginx, Python, faults, memory, fuzz, containers, packages
	scripts/setup test
	scripts/test

clean: stop ## remove everything that was built; keys stay
	cargo clean
	rm -rf dist run

##@ Keys and a token for the example

private_key.pem: ## make keys/private_key.pem, if there is none
	scripts/setup build && scripts/build otools && scripts/keys

public_key.pem: private_key.pem ## make keys/public_key.pem, if there is none

prod_test_jwt.txt: private_key.pem ## make keys/prod_test_jwt.txt, a token for example.com, if there is none

##@ Requests to the example

curl_hello_world: ## fetch the protected file with the test token
	$(CURL) "$(URL)/protected/hello_world.txt?jwt=$(TOKEN)"

curl_token_health_check: ## ask the health check about the test token
	$(CURL) -H "Authorization: Bearer $(TOKEN)" $(URL)/token-health-check

curl_verbose_token_check: ## the same, with the response headers
	$(CURL) -v -H "Authorization: Bearer $(TOKEN)" $(URL)/token-health-check

##@ The container

build_ojwt_nginx: ## build the container image ojwt-nginx
	scripts/setup run
	scripts/container build

run_ojwt_nginx: build_ojwt_nginx ## start the container on 127.0.0.1:NGINX_PORT
	scripts/container run

stop_ojwt_nginx: ## stop the container
	scripts/container stop

exec_nginx: ## open a shell in the container
	docker exec -it ojwt-nginx sh

##@ Parts of `make test`: scripts/test has more, a step each

test_nginx: ## the integration tests in the nginx that is installed
	scripts/setup test
	scripts/test nginx

test_python: ## the tests of the Python package
	scripts/setup test
	scripts/check/python

test_ojwt_nginx: ## the container test: build, run, curl, stop
	scripts/setup test
	scripts/check/container

test_memory: ## the module and the core under AddressSanitizer, over a thousand reloads (takes half an hour)
	scripts/setup test
	scripts/check/memory 1000

test_miri: ## what in the core reads and compares, in Miri
	scripts/setup test
	scripts/check/miri

fuzz: ## put random inputs to the core, a minute for each target
	scripts/setup test
	scripts/check/fuzz

faults: ## put faults to nginx under load, and count what comes of each request (takes minutes)
	scripts/setup test
	scripts/measure/faults

##@ Beyond `make test`

matrix: ## the integration tests in many versions and builds of nginx (takes half an hour and more)
	scripts/setup matrix
	scripts/matrix/run

nginx_tests: ## nginx's own tests, with and without the module (NGINX_TESTS=DIR, a checkout of nginx-tests)
	scripts/check/nginx-tests

soak: ## watch nginx's memory over requests, key rotations and reloads (takes minutes)
	scripts/setup test
	scripts/measure/soak

bench: ## measure beside the peers that can be installed
	scripts/setup test
	scripts/measure/bench

##@ Packages

deb: ## build dist/libnginx-mod-http-ojwt_*.deb and dist/ojwt-tools_*.deb
	scripts/setup deb
	scripts/deb

sbom: ## write dist/ojwt.cdx.json, a bill of materials in CycloneDX
	scripts/setup build
	scripts/supply/sbom

reproducible: ## build twice in different folders, and compare the bytes (takes minutes)
	scripts/setup build
	scripts/check/reproducible
