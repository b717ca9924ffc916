/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/numbers_whole.h"

#include <stdbool.h>
#include <string.h>

/* One digit after the other: what there is on any machine. */
static size_t read_digits(struct nd_heap_whole *ret, const char *data, size_t len, uint64_t offset)
{
	const char *end = data + len, *at = data, *start;
	unsigned int digit;
	uint64_t value;

	/* Room for the longest number and what ends it, so that only digits need be looked at. */
	while (end - at > ND_HEAP_DIGITS_MAX + 2 && ret->count < ret->want) {
		digit = (unsigned int)(unsigned char)*at - '0';
		if (digit > 9)
			break;
		start = at;
		value = 0;
		do {
			value = value * 10 + digit;
			digit = (unsigned int)(unsigned char)*++at - '0';
		} while (digit <= 9 && at - start < ND_HEAP_DIGITS_MAX);
		if (*at != ',' && (*at != '\n' || at[1] != ',')) {
			at = start;
			break;
		}
		ret->value[ret->count] = (int64_t)value;
		ret->offset[ret->count++] = offset + (uint64_t)(at - data);
		at += 1 + (*at == '\n');
	}
	return (size_t)(at - data);
}

#if defined(__x86_64__)

#include <immintrin.h>

/*
 * Where a number ends is a guess that a processor often gets wrong, so numbers are not read digit
 * by digit: first all commas of a block are found, then what is between them is made into four
 * numbers at once. That takes half the time.
 */
#define WIDE __attribute__((target("avx2,bmi,bmi2,popcnt")))

#define BLOCK	  64
#define LANES	  4
#define ALL_LANES ((1u << LANES) - 1)

/* Digits of a number that fit into a lane; longer ones are rare. */
#define LANE_DIGITS 8

/* Numbers that are found before they are converted: their places stay in the first cache. */
#define PLACES_MAX 1024

/* Of the data that is looked at in one go, so that places are 32-bit ones. */
#define BYTES_MAX (1u << 30)

/* Where numbers are, each between the comma before it and its own. */
struct places {
	uint32_t comma[1 + PLACES_MAX + 2 * BLOCK];
	uint8_t lines[(PLACES_MAX + 2 * BLOCK) / 8 + 8]; /* a bit for each that ends with a line */
	uint32_t count;
	uint64_t base; /* of the data, in the file */
};

WIDE static uint64_t find_byte(const char *block, char byte)
{
	const __m256i all = _mm256_set1_epi8(byte);
	__m256i low = _mm256_loadu_si256((const __m256i *)block);
	__m256i high = _mm256_loadu_si256((const __m256i *)(block + BLOCK / 2));

	low = _mm256_cmpeq_epi8(low, all);
	high = _mm256_cmpeq_epi8(high, all);
	return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
							     << 32;
}

/* The places of `count` bits, and rubbish behind: not to ask where each ends is what is fast. */
WIDE static void list_bits(uint32_t *ret, uint64_t bits, uint32_t count, uint32_t base)
{
	uint32_t i, j;

	for (i = 0; i < count; i += 8)
		for (j = 0; j < 8; j++) {
			ret[i + j] = base + (uint32_t)_tzcnt_u64(bits);
			bits = _blsr_u64(bits);
		}
}

/* Put bits behind the `count` that there are; no more than 56 fit, and half a block is commas. */
static void add_bits(uint8_t *lines, uint32_t count, uint64_t bits)
{
	uint64_t word;

	memcpy(&word, lines + count / 8, sizeof(word));
	word = (word & ((UINT64_C(1) << count % 8) - 1)) | bits << count % 8;
	memcpy(lines + count / 8, &word, sizeof(word));
}

/*
 * Up to `want` numbers and some more. A line that does not end before a comma is none of V8's, and
 * neither are commas without anything between them.
 */
WIDE static void find_places(struct places *p, const char *data, size_t len, uint32_t want)
{
	uint64_t commas, lines, behind, carry = 0;
	uint32_t found;
	size_t at;

	p->comma[0] = UINT32_MAX;
	p->count = 0;
	memset(p->lines, 0, sizeof(uint64_t));
	for (at = 0; at + BLOCK + LANE_DIGITS <= len && p->count < want; at += BLOCK) {
		commas = find_byte(data + at, ',');
		lines = find_byte(data + at, '\n');
		behind = lines << 1 | carry;
		if (behind & ~commas || commas & commas << 1)
			break;
		carry = lines >> (BLOCK - 1);
		found = (uint32_t)_mm_popcnt_u64(commas);
		list_bits(&p->comma[1 + p->count], commas, found, (uint32_t)at);
		add_bits(p->lines, p->count, _pext_u64(behind, commas));
		p->count += found;
	}
}

/* The text behind a comma. */
static int64_t load(const char *data, uint32_t before)
{
	uint32_t at = before + 1;
	int64_t ret;

	memcpy(&ret, data + at, sizeof(ret));
	return ret;
}

/* -1 for each of four numbers that ends with a line. */
WIDE static __m128i get_lines(const struct places *p, uint32_t at)
{
	const __m128i lane = _mm_setr_epi32(1, 2, 4, 8);
	uint16_t word;

	memcpy(&word, p->lines + at / 8, sizeof(word));
	return _mm_cmpeq_epi32(_mm_and_si128(_mm_set1_epi32(word >> at % 8), lane), lane);
}

/* Four numbers; a bit for each that is one, and has no more digits than a lane. */
WIDE static uint32_t convert(const struct places *p, uint32_t at, const char *data,
			     const struct nd_heap_whole *ret)
{
	const uint32_t *before = &p->comma[at];
	__m128i end =
		_mm_add_epi32(_mm_loadu_si128((const __m128i *)(before + 1)), get_lines(p, at));
	__m128i start = _mm_add_epi32(_mm_loadu_si128((const __m128i *)before), _mm_set1_epi32(1));
	__m256i size = _mm256_cvtepi32_epi64(_mm_sub_epi32(end, start));
	__m256i text = _mm256_set_epi64x(load(data, before[3]), load(data, before[2]),
					 load(data, before[1]), load(data, before[0]));
	__m256i is_fine, high;

	text = _mm256_xor_si256(text, _mm256_set1_epi8('0'));
	text = _mm256_sllv_epi64(text, _mm256_sub_epi64(_mm256_set1_epi64x(8 * LANE_DIGITS),
							_mm256_slli_epi64(size, 3)));
	is_fine = _mm256_cmpeq_epi64(_mm256_subs_epu8(text, _mm256_set1_epi8(9)),
				     _mm256_setzero_si256());
	is_fine = _mm256_and_si256(is_fine, _mm256_cmpgt_epi64(size, _mm256_setzero_si256()));
	is_fine = _mm256_and_si256(is_fine,
				   _mm256_cmpgt_epi64(_mm256_set1_epi64x(LANE_DIGITS + 1), size));
	text = _mm256_maddubs_epi16(text, _mm256_set1_epi16(0x010a));
	text = _mm256_madd_epi16(text, _mm256_set1_epi32(0x00010064));
	high = _mm256_mul_epu32(text, _mm256_set1_epi64x(10000));
	text = _mm256_add_epi64(high, _mm256_srli_epi64(text, 32));
	_mm256_storeu_si256((__m256i *)&ret->value[ret->count + at], text);
	_mm256_storeu_si256(
		(__m256i *)&ret->offset[ret->count + at],
		_mm256_add_epi64(_mm256_set1_epi64x((int64_t)p->base), _mm256_cvtepu32_epi64(end)));
	return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(is_fine));
}

/* A number that is too long for a lane; false when it is none. Its offset is there already. */
static bool convert_long(const struct places *p, uint32_t at, const char *data, int64_t *ret)
{
	uint32_t i = p->comma[at] + 1, size = p->comma[at + 1] - i;
	uint64_t value = 0;

	size -= p->lines[at / 8] >> at % 8 & 1;
	if (!size || size > ND_HEAP_DIGITS_MAX)
		return false;
	for (; size && data[i] >= '0' && data[i] <= '9'; i++, size--)
		value = value * 10 + (uint64_t)(data[i] - '0');
	*ret = (int64_t)value;
	return !size;
}

/* As many as there are places, or before the first that is not a number. */
WIDE static uint32_t convert_all(const struct places *p, uint32_t count, const char *data,
				 const struct nd_heap_whole *ret)
{
	uint32_t found = 0, fine;

	while (found < count) {
		fine = convert(p, found, data, ret);
		/* Not to depend on what comes out is why the next four can begin before. */
		if (fine == ALL_LANES) {
			found += LANES;
			continue;
		}
		found += (uint32_t)_tzcnt_u32(~fine);
		if (found >= count ||
		    !convert_long(p, found, data, &ret->value[ret->count + found]))
			break;
		found++;
	}
	return found < count ? found : count;
}

WIDE static size_t read_wide(struct nd_heap_whole *ret, const char *data, size_t len,
			     uint64_t offset)
{
	uint32_t want = ret->want - ret->count, count, i;
	struct places p;

	p.base = offset;
	if (want > PLACES_MAX)
		want = PLACES_MAX;
	find_places(&p, data, len < BYTES_MAX ? len : BYTES_MAX, want);
	/* Lanes that are left over have a place, too. */
	for (i = 0; i < LANES; i++)
		p.comma[1 + p.count + i] = p.comma[p.count];
	count = convert_all(&p, p.count < want ? p.count : want, data, ret);
	ret->count += count;
	return p.comma[count] + 1;
}

static bool is_wide(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

size_t nd_heap_read_whole(struct nd_heap_whole *ret, const char *data, size_t len, uint64_t offset)
{
	size_t used = is_wide() ? read_wide(ret, data, len, offset) : 0;

	/* What is longer than a lane, and the end of the data. */
	return used + read_digits(ret, data + used, len - used, offset + used);
}

#else

size_t nd_heap_read_whole(struct nd_heap_whole *ret, const char *data, size_t len, uint64_t offset)
{
	return read_digits(ret, data, len, offset);
}

#endif
