"""The core blocklist: names that no caller may send to a provider, each with the reason and its source.

Data only. Patterns are in folded form (`names.fold`); an exact entry decides before a prefix, a longer prefix before a
shorter one.
"""

from typing import NamedTuple

from extra_headers.forwarding.decisions import Reason


class CoreRule(NamedTuple):
    """One entry of the core blocklist."""

    pattern: str
    """A folded field name, or a prefix of one with a trailing `*`."""
    reason: Reason
    source: str
    """Where it is written that the name means what the reason says."""


def _rules(reason: Reason, sources: dict[str, str]) -> tuple[CoreRule, ...]:
    return tuple(CoreRule(pattern, reason, source) for pattern, source in sources.items())


CORE_BLOCKLIST: tuple[CoreRule, ...] = (
    *_rules(
        Reason.FRAMING,
        {
            "host": "RFC 9110 section 7.2",
            "content-length": "RFC 9110 section 8.6; request smuggling, RFC 9112 section 11.2",
            "transfer-encoding": "RFC 9112 section 6.1; request smuggling, RFC 9112 section 11.2",
            "connection": "RFC 9110 section 7.6.1: names further hop-by-hop fields",
            "keep-alive": "RFC 9110 section 7.6.1, hop-by-hop",
            "proxy-connection": "RFC 9110 section 7.6.1, hop-by-hop",
            "te": "RFC 9110 section 10.1.4, hop-by-hop",
            "trailer": "RFC 9110 section 6.6.2",
            "upgrade": "RFC 9110 section 7.8, hop-by-hop",
            "expect": "RFC 9110 section 10.1.1: 100-continue holds the body back",
            "http2-settings": "RFC 7540 section 3.2.1, hop-by-hop",
            "content-type": "RFC 9110 section 8.3: the SDK writes the body it describes",
            "content-encoding": "RFC 9110 section 8.4: the SDK writes the body it describes",
            "accept": "RFC 9110 section 12.5.1: the SDK parses the answer it asks for",
            "accept-encoding": "RFC 9110 section 12.5.3: the HTTP client decodes the answer it asks for",
        },
    ),
    *_rules(
        Reason.CREDENTIAL,
        {
            "authorization": "RFC 9110 section 11.6.2; llama-stack pull request 5217, review",
            "proxy-authorization": "RFC 9110 section 11.7.2",
            "proxy-authenticate": "RFC 9110 section 11.7.1",
            "www-authenticate": "RFC 9110 section 11.6.1",
            "x-api-key": "Anthropic API, authentication",
            "api-key": "Azure OpenAI API, authentication",
            "x-goog-api-key": "Google Gemini API, authentication",
            "cookie": "RFC 6265 section 5.4",
            "cookie2": "RFC 2965 section 3.3.5",
            "set-cookie": "RFC 6265 section 4.1",
            "ocp-apim-subscription-key": "Azure API Management, subscriptions",
            "x-amz-*": "AWS Signature Version 4: security token, date and content hash",
            "cf-access-*": "Cloudflare Access, service tokens and JWT assertion",
        },
    ),
    *_rules(
        Reason.CLIENT_IDENTITY,
        {
            "forwarded": "RFC 7239 section 4",
            "via": "RFC 9110 section 7.6.3",
            "x-forwarded-*": "de facto standard behind RFC 7239",
            "x-real-ip": "nginx, ngx_http_realip_module",
            "x-client-ip": "Apache httpd, mod_remoteip; Azure",
            "x-cluster-client-ip": "Rackspace and Zeus load balancers",
            "cf-connecting-ip": "Cloudflare, HTTP request headers",
            "true-client-ip": "Akamai and Cloudflare, HTTP request headers",
            "x-amzn-*": "AWS load balancers and API Gateway: TLS client, OIDC identity, trace id",
            "x-azure-*": "Azure Front Door: client and socket IP",
            "x-fastly-*": "Fastly: client IP and service chain",
            "x-vercel-*": "Vercel: client IP and location",
            "x-cloud-trace-context": "Google Cloud load balancers",
            "x-ms-client-principal*": "Azure App Service authentication",
            "x-goog-authenticated-user-*": "Google Identity-Aware Proxy, identity headers",
            "x-goog-iap-jwt-assertion": "Google Identity-Aware Proxy, signed headers",
        },
    ),
    *_rules(
        Reason.ROUTING,
        {
            "x-original-url": "IIS URL Rewrite; path override in Symfony, CVE-2018-14773",
            "x-rewrite-url": "IIS URL Rewrite; path override in Symfony, CVE-2018-14773",
            "x-original-host": "Azure Application Gateway",
            "x-http-method": "Microsoft REST API guidelines, method tunnelling",
            "x-http-method-override": "Google Data Protocol, method tunnelling",
            "x-method-override": "method tunnelling",
            "x-envoy-*": "Envoy, HTTP header manipulation: timeouts, retries, original path",
        },
    ),
    *_rules(
        Reason.ACCOUNT,
        {
            "openai-organization": "OpenAI API, organizations",
            "openai-project": "OpenAI API, projects",
            "x-goog-user-project": "Google Cloud, system parameters: billed project",
        },
    ),
    *_rules(
        Reason.SDK,
        {
            "x-stainless-*": "openai-python: platform, retry count and timeout of the client",
            "user-agent": "RFC 9110 section 10.1.5",
        },
    ),
    *_rules(
        Reason.GATEWAY,
        {
            "x-ogx-*": "OGX: provider data, client version",
            "x-llamastack-*": "llama-stack: provider data, client version",
            "x-gateway-*": "Kubernetes Gateway API inference extension: fairness id, objective, destination endpoint",
            "x-litellm-*": "LiteLLM proxy: key, timeout, tags",
            "x-portkey-*": "Portkey gateway: provider, virtual key, config",
            "x-bf-*": "Bifrost gateway: virtual key, forwarded headers",
            "cf-aig-*": "Cloudflare AI Gateway: authorization, cache, metadata",
        },
    ),
    *_rules(
        Reason.TRACE_CONTEXT,
        {
            "traceparent": "W3C Trace Context",
            "tracestate": "W3C Trace Context",
            "baggage": "W3C Baggage",
            "b3": "OpenZipkin B3 propagation, single header",
            "x-b3-*": "OpenZipkin B3 propagation",
        },
    ),
    *_rules(
        Reason.BROWSER,
        {
            "origin": "WHATWG Fetch, forbidden request-header",
            "referer": "WHATWG Fetch, forbidden request-header",
            "sec-*": "WHATWG Fetch, forbidden request-header",
            "proxy-*": "WHATWG Fetch, forbidden request-header",
            "access-control-*": "WHATWG Fetch, CORS protocol",
            "dnt": "WHATWG Fetch, forbidden request-header",
            "date": "WHATWG Fetch, forbidden request-header",
        },
    ),
)
