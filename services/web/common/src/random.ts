/** Returns random bytes as hexadecimal text. `crypto.randomUUID` is missing in pages without TLS. */
export function randomHex(bytes: number): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
