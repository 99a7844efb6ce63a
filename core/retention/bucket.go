package retention

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/local"
)

// Bucket is a bucket of an object store that speaks S3.
type Bucket struct {
	client *minio.Client
	bucket string
	prefix string
}

// NewBucket returns the bucket at an address such as
// https://s3.eu-central-1.amazonaws.com/bucket/prefix. It asks nobody yet. It returns
// an Invalid fault for an address that is none: in clear only to this machine itself.
func NewBucket(address, region, key, secret string) (*Bucket, error) {
	u, err := url.Parse(address)
	if err == nil {
		err = checkAddress(u)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "retention.bucket", "The archive's bucket is not the address of one: %v.", err)
	}
	bucket, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if region == "" {
		region = "us-east-1" // what servers that have no regions expect
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(key, secret, ""), Secure: u.Scheme == "https", Region: region, BucketLookup: minio.BucketLookupPath,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Minute, Proxy: http.ProxyFromEnvironment,
		},
		MaxRetries: 3,
	})
	if err != nil {
		return nil, fault.New(fault.Invalid, "retention.bucket", "The archive's bucket is not the address of one.").Because(err)
	}
	return &Bucket{client, bucket, prefix}, nil
}

// checkAddress says what is wrong with the address of a bucket.
func checkAddress(u *url.URL) error {
	bucket := strings.Trim(u.Path, "/")
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("it holds nothing but scheme, host and path")
	case u.Host == "" || bucket == "":
		return errors.New("it names a host and a bucket, such as https://s3.example.org/audit")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && local.Host(u.Hostname()):
		return nil
	}
	return errors.New("it begins with https://; the audit is not sent in clear over a network")
}

func (b *Bucket) kind() string { return "s3" }

// put sends file with its digest, which the store compares. What was put under that
// name before is replaced; a store that keeps versions keeps it.
func (b *Bucket) put(ctx context.Context, name string, file *os.File, size int64) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := b.client.PutObject(ctx, b.bucket, path.Join(b.prefix, name), file, size, minio.PutObjectOptions{ContentType: "application/jsonl", SendContentMd5: true})
	return err
}

func (b *Bucket) open(ctx context.Context, name string) (io.ReadCloser, error) {
	return b.client.GetObject(ctx, b.bucket, path.Join(b.prefix, name), minio.GetObjectOptions{})
}

// Heads is a bucket as a place for signed heads. Every time there are new ones they
// become an object of their own: heads/YYYY/MM/DD/<time>-<replica>.jsonl.
type Heads struct {
	Bucket  *Bucket
	Replica string
}

// Keep implements audit.HeadPlace.
func (h Heads) Keep(ctx context.Context, at time.Time, lines []byte) error {
	name := path.Join(h.Bucket.prefix, "heads", at.UTC().Format("2006/01/02"), at.UTC().Format("20060102T150405.000000Z")+"-"+url.PathEscape(h.Replica)+".jsonl")
	_, err := h.Bucket.client.PutObject(ctx, h.Bucket.bucket, name, bytes.NewReader(lines), int64(len(lines)), minio.PutObjectOptions{ContentType: "application/jsonl", SendContentMd5: true})
	return err
}
