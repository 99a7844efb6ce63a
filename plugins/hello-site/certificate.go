package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

const (
	certificateLife = 365 * 24 * time.Hour
	renewBefore     = 30 * 24 * time.Hour
)

// certificateIn returns the web server's certificate from dir, where ca.pem is
// the authority to trust. Both are made when they are missing, damaged, for
// another name, or near their end.
func certificateIn(dir string, now time.Time) (tls.Certificate, error) {
	authority, server := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "site.pem")
	if kept, err := readCertificate(authority, server, now); err == nil {
		return kept, nil
	}
	authorityPEM, serverPEM, err := makeCertificates(now)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificates: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return tls.Certificate{}, fmt.Errorf("keep certificates: %w", err)
	}
	// The authority first: a crash in between leaves a pair that does not fit and is made anew.
	if err := errors.Join(replace(authority, authorityPEM, 0o644), replace(server, serverPEM, 0o600)); err != nil {
		return tls.Certificate{}, fmt.Errorf("keep certificates: %w", err)
	}
	return readCertificate(authority, server, now)
}

// readCertificate returns the kept certificate when the kept authority vouches
// for it, for long enough yet.
func readCertificate(authority, server string, now time.Time) (tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(server, server)
	if err != nil {
		return tls.Certificate{}, err
	}
	text, err := os.ReadFile(authority)
	if err != nil {
		return tls.Certificate{}, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	_, err = certificate.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: now.Add(renewBefore)})
	return certificate, err
}

// makeCertificates returns a new authority's certificate, and one it signed for
// host together with its key. The authority's own key is not kept: nobody can
// have it sign anything else.
func makeCertificates(now time.Time) (authorityPEM, serverPEM []byte, err error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	authority := &x509.Certificate{
		SerialNumber:                serial(),
		Subject:                     pkix.Name{CommonName: "Vivified development authority for " + host},
		NotBefore:                   now.Add(-time.Hour),
		NotAfter:                    now.Add(certificateLife),
		KeyUsage:                    x509.KeyUsageCertSign,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLenZero:              true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{host},
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return nil, nil, err
	}
	server := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, serverKey.Public(), authorityKey)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return nil, nil, err
	}
	var pair bytes.Buffer
	err = errors.Join(
		pem.Encode(&pair, &pem.Block{Type: "CERTIFICATE", Bytes: serverDER}),
		pem.Encode(&pair, &pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}), pair.Bytes(), err
}

// serial returns a random 127-bit serial number (RFC 5280, 4.1.2.2).
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

// replace writes a file in one step.
func replace(name string, text []byte, mode fs.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(mode), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
