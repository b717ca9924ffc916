// SPDX-License-Identifier: Apache-2.0

// A certificate for a server on this machine, made for one test.

import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { makeFolder, skip } from './harness.mjs';

export function needOpenssl() {
  if (spawnSync('openssl', ['version']).error) skip('there is no openssl');
}

/** The names of its files: the key and the certificate, of the names "localhost" and 127.0.0.1. */
export function makeCertificate() {
  const folder = makeFolder();
  const files = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', files[0], '-out', files[1]];
  const name = 'subjectAltName=IP:127.0.0.1';
  const subject = ['-subj', '/CN=localhost', '-addext', name, '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject], { stdio: 'ignore' });
  return files;
}
