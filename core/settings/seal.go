package settings

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync/atomic"

	"github.com/vivified/vivified/core/fault"
)

// KeySize is the length of a master or sealing key in bytes.
const KeySize = 32

// The layout of a sealed value:
//
//	version  1 byte   1
//	kek      8 bytes  which sealing key wraps the data key
//	wrapped  60 bytes nonce (12), data key (32) and tag (16): AES-256-GCM under the KEK
//	body     n+28     nonce (12), ciphertext (n) and tag (16): AES-256-GCM under the data key
const (
	sealVersion = 1
	kekIDSize   = 8
	headerSize  = 1 + kekIDSize
	gcmOverhead = 12 + 16
	wrappedSize = KeySize + gcmOverhead
	minSealed   = headerSize + wrappedSize + gcmOverhead
)

// What each key derived from a sealing key is for (the info of HKDF, RFC 5869).
const (
	infoID     = "vivified/1/kek-id"
	infoWrap   = "vivified/1/wrap"
	infoDerive = "vivified/1/derive/"
	infoDigest = "vivified/1/digest/"
)

// Sealer seals and opens what must not be read from a disk or a dump: each value
// under its own random data key, each data key wrapped under a sealing key of the
// [Keyring]. It is safe for concurrent use.
type Sealer struct {
	ring atomic.Pointer[ring] // a rotation adds a key
}

// ring is the sealing keys at one time.
type ring struct {
	keks []kek // all open
	seal *kek  // the one that seals
	root *kek  // the first ever: what is derived from it must stay the same
}

// kek is a sealing key: it encrypts data keys.
type kek struct {
	id   [kekIDSize]byte
	raw  []byte
	wrap cipher.AEAD
}

// NewSealer returns a Sealer over keys of [KeySize] bytes: the first one seals,
// all open. A core takes the one of its [Keyring], whose keys can follow one another.
func NewSealer(keys ...[]byte) (*Sealer, error) {
	r, err := newRing(keys, 0)
	if err != nil {
		return nil, err
	}
	s := &Sealer{}
	s.ring.Store(r)
	return s, nil
}

// newRing returns the ring of keys; the one at seals seals.
func newRing(keys [][]byte, seals int) (*ring, error) {
	if len(keys) == 0 {
		return nil, fault.New(fault.Invalid, "master_key.missing", "There is no key.")
	}
	r := &ring{keks: make([]kek, 0, len(keys))}
	for _, raw := range keys {
		if len(raw) != KeySize {
			return nil, fault.New(fault.Invalid, "master_key.size", "A key is %d bytes long; this one has %d.", KeySize, len(raw))
		}
		if weak(raw) {
			return nil, weakKey()
		}
		k := kek{raw: bytes.Clone(raw), wrap: aead(derive(raw, infoWrap, KeySize))}
		copy(k.id[:], derive(raw, infoID, kekIDSize))
		if r.find(k.id[:]) != nil {
			return nil, repeatedKey()
		}
		r.keks = append(r.keks, k)
	}
	r.seal, r.root = &r.keks[seals], &r.keks[0]
	return r, nil
}

// weak reports whether a key is one byte repeated.
func weak(raw []byte) bool { return bytes.Count(raw, raw[:1]) == len(raw) }

func weakKey() error {
	return fault.New(fault.Invalid, "master_key.weak", "The master key is one byte repeated; use 32 random bytes, such as from: openssl rand -hex 32")
}

func repeatedKey() error {
	return fault.New(fault.Invalid, "master_key.repeated", "The same master key is given twice.")
}

// Seal encrypts plain and binds it to aad, which says where the value belongs
// and must be given again to open it. The result is 97 bytes longer than plain.
func (s *Sealer) Seal(plain, aad []byte) ([]byte, error) {
	dataKey := make([]byte, KeySize)
	rand.Read(dataKey) // never fails: crypto/rand ends the program instead
	out := make([]byte, 0, minSealed+len(plain))
	out = s.ring.Load().seal.wrapTo(out, dataKey)
	return aead(dataKey).Seal(out, nil, plain, bodyAAD(aad)), nil
}

// Open returns what was sealed with the same aad. Its faults are Internal:
// seal.unknown_key when its sealing key is not among those of s, seal.damaged
// when sealed was changed, cut, or belongs to another aad.
func (s *Sealer) Open(sealed, aad []byte) ([]byte, error) {
	dataKey, err := s.unwrap(sealed)
	if err != nil {
		return nil, err
	}
	plain, err := aead(dataKey).Open(nil, nil, sealed[headerSize+wrappedSize:], bodyAAD(aad))
	if err != nil {
		return nil, damaged()
	}
	return plain, nil
}

// Derive returns n bytes (at most 8,160) that only holders of the
// sealing keys can compute, through every rotation, different for each purpose (HKDF-SHA256, RFC 5869).
func (s *Sealer) Derive(purpose string, n int) []byte {
	return derive(s.ring.Load().root.raw, infoDerive+purpose, n)
}

// Digest stands in for data that a record may not carry in clear: equal data of
// one purpose has equal digests, also after a rotation, and without the key nobody can guess
// its way back. It reads hmac-sha256:<key id>:<hex>.
func (s *Sealer) Digest(purpose string, data []byte) string {
	root := s.ring.Load().root
	mac := hmac.New(sha256.New, derive(root.raw, infoDigest+purpose, sha256.Size))
	mac.Write(data)
	return "hmac-sha256:" + hex.EncodeToString(root.id[:]) + ":" + hex.EncodeToString(mac.Sum(nil))
}

// unwrap returns the data key of a sealed value.
func (s *Sealer) unwrap(sealed []byte) ([]byte, error) {
	if len(sealed) < minSealed || sealed[0] != sealVersion {
		return nil, damaged()
	}
	k := s.ring.Load().find(sealed[1:headerSize])
	if k == nil {
		return nil, fault.New(fault.Internal, "seal.unknown_key", "The value is sealed under a key (%x) that this core does not have.", sealed[1:headerSize])
	}
	dataKey, err := k.wrap.Open(nil, nil, sealed[headerSize:headerSize+wrappedSize], sealed[:headerSize])
	if err != nil {
		return nil, damaged()
	}
	return dataKey, nil
}

// find returns the key-encryption key of that id, or nil.
func (r *ring) find(id []byte) *kek {
	i := slices.IndexFunc(r.keks, func(k kek) bool { return bytes.Equal(k.id[:], id) })
	if i < 0 {
		return nil
	}
	return &r.keks[i]
}

// wrapTo appends the header and the wrapped data key to out, which is empty.
func (k *kek) wrapTo(out, dataKey []byte) []byte {
	out = append(append(out, sealVersion), k.id[:]...)
	return k.wrap.Seal(out, nil, dataKey, out[:headerSize])
}

// bodyAAD binds a body to the version beside its place. The key id stays out of
// it, so that a body survives a new wrapping.
func bodyAAD(aad []byte) []byte { return append([]byte{sealVersion}, aad...) }

// aead returns AES-256-GCM that makes and carries its own random nonces.
func aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key is 32 bytes, everywhere
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // the block is AES
	}
	return gcm
}

// derive is HKDF-SHA256 without salt: the keys are uniform already.
func derive(from []byte, info string, n int) []byte {
	key, err := hkdf.Key(sha256.New, from, nil, info, n)
	if err != nil {
		panic(err) // n is ours and small
	}
	return key
}

func damaged() error {
	return fault.New(fault.Internal, "seal.damaged", "The sealed value was changed, cut, or belongs elsewhere.")
}
