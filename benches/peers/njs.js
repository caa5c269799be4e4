// A verifier as users write it. njs makes a new context for each request, so no key outlives one.
const keys = {
    RS256: { format: 'spki', algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, bytes: '@RS256.SPKI@' },
    ES256: { format: 'spki', algorithm: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }, bytes: '@ES256.SPKI@' },
    HS256: { format: 'raw', algorithm: { name: 'HMAC', hash: 'SHA-256' }, bytes: '@HS256.BASE64@' },
};

async function check(r, alg) {
    let status = 401;
    try {
        const bearer = r.headersIn.Authorization;
        const parts = bearer.startsWith('Bearer ') ? bearer.slice(7).split('.') : [];
        const header = JSON.parse(Buffer.from(parts[0], 'base64url').toString());
        const key = keys[alg];
        if (parts.length === 3 && header.alg === alg) {
            const imported = await crypto.subtle.importKey(
                key.format, Buffer.from(key.bytes, 'base64'), key.algorithm, false, ['verify']);
            const good = await crypto.subtle.verify(
                key.algorithm, imported, Buffer.from(parts[2], 'base64url'),
                Buffer.from(parts[0] + '.' + parts[1]));
            const claims = JSON.parse(Buffer.from(parts[1], 'base64url').toString());
            if (good && claims.exp > Date.now() / 1000) {
                status = 204;
            }
        }
    } catch (e) {
        r.log(e.message);
    }
    r.return(status);
}

function RS256(r) { return check(r, 'RS256'); }
function ES256(r) { return check(r, 'ES256'); }
function HS256(r) { return check(r, 'HS256'); }

export default { RS256, ES256, HS256 };
