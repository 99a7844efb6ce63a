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

	"github.com/vivified/vivified/core/fault"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

// The layout of a sealed value:
//
//	version  1 byte   1
//	kek      8 bytes  which master key wraps the data key
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

// What each key derived from a master key is for (the info of HKDF, RFC 5869).
const (
	infoID     = "vivified/1/kek-id"
	infoWrap   = "vivified/1/wrap"
	infoDerive = "vivified/1/derive/"
	infoDigest = "vivified/1/digest/"
)

// Sealer seals and opens what must not be read from a disk or a dump: each value
// under its own random data key, each data key wrapped under the master key.
// It is safe for concurrent use.
type Sealer struct {
	keks []kek // the first seals, all open
}

// kek is a key-encryption key.
type kek struct {
	id     [kekIDSize]byte
	master []byte
	wrap   cipher.AEAD
}

// NewSealer returns a Sealer over master keys of [KeySize] bytes. The first one
// seals; the others only open, which is how a key is rotated: add the new key
// behind the old one on every replica, then put it first, re-wrap, and drop the
// old one.
func NewSealer(masters ...[]byte) (*Sealer, error) {
	if len(masters) == 0 {
		return nil, fault.New(fault.Invalid, "master_key.missing", "There is no master key.")
	}
	s := &Sealer{}
	for _, m := range masters {
		if len(m) != KeySize {
			return nil, fault.New(fault.Invalid, "master_key.size", "A master key is %d bytes long; this one has %d.", KeySize, len(m))
		}
		if bytes.Count(m, m[:1]) == KeySize {
			return nil, fault.New(fault.Invalid, "master_key.weak", "The master key is one byte repeated; use 32 random bytes, such as from: openssl rand -hex 32")
		}
		k := kek{master: bytes.Clone(m), wrap: aead(derive(m, infoWrap, KeySize))}
		copy(k.id[:], derive(m, infoID, kekIDSize))
		if s.find(k.id[:]) != nil {
			return nil, fault.New(fault.Invalid, "master_key.repeated", "The same master key is given twice.")
		}
		s.keks = append(s.keks, k)
	}
	return s, nil
}

// Seal encrypts plain and binds it to aad, which says where the value belongs
// and must be given again to open it. The result is 97 bytes longer than plain.
func (s *Sealer) Seal(plain, aad []byte) ([]byte, error) {
	dataKey := make([]byte, KeySize)
	rand.Read(dataKey) // never fails: crypto/rand ends the program instead
	out := make([]byte, 0, minSealed+len(plain))
	out = s.keks[0].wrapTo(out, dataKey)
	return aead(dataKey).Seal(out, nil, plain, bodyAAD(aad)), nil
}

// Open returns what was sealed with the same aad. Its faults are Internal:
// seal.unknown_key when the master key is not among those of s, seal.damaged
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

// Rewrap returns sealed with its data key wrapped under the first master key,
// and whether that changed anything. The body is not touched and aad not needed.
func (s *Sealer) Rewrap(sealed []byte) (rewrapped []byte, changed bool, err error) {
	dataKey, err := s.unwrap(sealed)
	if err != nil {
		return nil, false, err
	}
	if bytes.Equal(sealed[1:headerSize], s.keks[0].id[:]) {
		return sealed, false, nil
	}
	out := s.keks[0].wrapTo(make([]byte, 0, len(sealed)), dataKey)
	return append(out, sealed[headerSize+wrappedSize:]...), true, nil
}

// Derive returns n bytes (at most 8,160) that only holders of the first master
// key can compute, different for each purpose (HKDF-SHA256, RFC 5869).
func (s *Sealer) Derive(purpose string, n int) []byte {
	return derive(s.keks[0].master, infoDerive+purpose, n)
}

// Digest stands in for data that a record may not carry in clear: equal data of
// one purpose has equal digests, and without the master key nobody can guess
// its way back. It reads hmac-sha256:<key id>:<hex>.
func (s *Sealer) Digest(purpose string, data []byte) string {
	mac := hmac.New(sha256.New, derive(s.keks[0].master, infoDigest+purpose, sha256.Size))
	mac.Write(data)
	return "hmac-sha256:" + hex.EncodeToString(s.keks[0].id[:]) + ":" + hex.EncodeToString(mac.Sum(nil))
}

// unwrap returns the data key of a sealed value.
func (s *Sealer) unwrap(sealed []byte) ([]byte, error) {
	if len(sealed) < minSealed || sealed[0] != sealVersion {
		return nil, damaged()
	}
	k := s.find(sealed[1:headerSize])
	if k == nil {
		return nil, fault.New(fault.Internal, "seal.unknown_key", "The value is sealed under a master key (%x) that this core does not have.", sealed[1:headerSize])
	}
	dataKey, err := k.wrap.Open(nil, nil, sealed[headerSize:headerSize+wrappedSize], sealed[:headerSize])
	if err != nil {
		return nil, damaged()
	}
	return dataKey, nil
}

// find returns the key-encryption key of that id, or nil.
func (s *Sealer) find(id []byte) *kek {
	i := slices.IndexFunc(s.keks, func(k kek) bool { return bytes.Equal(k.id[:], id) })
	if i < 0 {
		return nil
	}
	return &s.keks[i]
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

// derive is HKDF-SHA256 without salt: master keys are uniform already.
func derive(master []byte, info string, n int) []byte {
	key, err := hkdf.Key(sha256.New, master, nil, info, n)
	if err != nil {
		panic(err) // n is ours and small
	}
	return key
}

func damaged() error {
	return fault.New(fault.Internal, "seal.damaged", "The sealed value was changed, cut, or belongs elsewhere.")
}
