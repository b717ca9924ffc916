/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/elf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "proto/limits.h"

struct name {
	const char *symbol;
	const char *shown;
};

static void check(const struct name *names, size_t count)
{
	char buf[1024];
	size_t i;

	for (i = 0; i < count; i++) {
		assert_ptr_equal(nd_elf_demangle(names[i].symbol, buf, sizeof(buf)), buf);
		assert_string_equal(buf, names[i].shown);
	}
}

#define CHECK(names) check(names, sizeof(names) / sizeof((names)[0]))

static void test_arguments_and_return_types_go(void **state)
{
	static const struct name names[] = {
		{"_ZN2v88internal4Heap14CollectGarbageENS0_15AllocationSpaceE"
		 "NS0_23GarbageCollectionReasonENS_15GCCallbackFlagsE",
		 "v8::internal::Heap::CollectGarbage"},
		{"_ZN4node16NodeMainInstance3RunEv", "node::NodeMainInstance::Run"},
		{"_ZNK4node6sqlite11SQLTagStore14MemoryInfoNameEv",
		 "node::sqlite::SQLTagStore::MemoryInfoName"},
		{"_ZNSt6vectorIiSaIiEE9push_backEOi",
		 "std::vector<int, std::allocator<int> >::push_back"},
		{"_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_", "std::move<int&>"},
		{"_ZSt4sortIPiEvT_S1_", "std::sort<int*>"},
		{"_ZN12_GLOBAL__N_15serveEPv", "(anonymous namespace)::serve"},
		{"_ZN4node12_GLOBAL__N_15startEv", "node::(anonymous namespace)::start"},
		{"_ZN6icu_7814TaiwanCalendar19handleComputeFieldsEiR10UErrorCode",
		 "icu_78::TaiwanCalendar::handleComputeFields"},
		{"_ZNKR1A1fEv", "A::f"},
		{"_ZNVK1A1fEv", "A::f"},
		{"_Z4makeB5cxx11v", "make[abi:cxx11]"},
		{"_ZThn8_N4node10StreamBase3RunEi", "node::StreamBase::Run"},
		/* Functions that return pointers to functions have their name inside. */
		{"_Z3getIiEPFvcET_", "get<int>"},
	};

	CHECK(names);
}

static void test_operators_keep_their_sign(void **state)
{
	static const struct name names[] = {
		{"_ZlsRSoRK1A", "operator<<"},
		{"_ZlsIcERSoS0_T_", "operator<< <char>"},
		{"_ZgtI1AEbT_S1_", "operator><A>"},
		{"_ZN1AclEi", "A::operator()"},
		{"_ZN1AclIiEEvT_", "A::operator()<int>"},
		{"_ZN1AixEi", "A::operator[]"},
		{"_ZNK1AptEv", "A::operator->"},
		{"_ZN1AcvmEv", "A::operator unsigned long"},
		{"_ZNK1AcvNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEEv",
		 "A::operator std::__cxx11::basic_string<char, std::char_traits<char>, "
		 "std::allocator<char> >"},
		{"_Znwm", "operator new"},
		{"_ZdaPv", "operator delete[]"},
		{"_ZN1A9operatorsEv", "A::operators"},
	};

	CHECK(names);
}

static void test_local_functions_keep_their_parents(void **state)
{
	static const struct name names[] = {
		{"_ZZN1A1fEiENKUlcE_clEc", "A::f(int)::{lambda(char)#1}::operator()"},
		{"_ZZNK1A1fEiENKUlcE_clEc", "A::f(int) const::{lambda(char)#1}::operator()"},
		{"_ZZNK1AcvbEvENKUlvE_clEv", "A::operator bool() const::{lambda()#1}::operator()"},
		{"_ZN2v88internal9LocalHeap16SleepInSafepointEv.cold",
		 "v8::internal::LocalHeap::SleepInSafepoint"},
		{"_ZN1A1fEv.part.0.constprop.0", "A::f"},
		{"_ZN1A1fEv.llvm.11947974279022809416", "A::f"},
		{"_ZNSt17_Function_handlerIFvmE1AE9_M_invokeERKSt9_Any_dataOm",
		 "std::_Function_handler<void (unsigned long), A>::_M_invoke"},
	};

	CHECK(names);
}

static void test_rust_names_lose_their_hash(void **state)
{
	static const struct name names[] = {
		{"_ZN3std4path4Path9file_name17h7cb60b232a6a036eE", "std::path::Path::file_name"},
		{"_ZN46_$LT$T$u20$as$u20$serde_core..de..Expected$GT$3fmt17h4be92a26b6f9bfacE."
		 "llvm.7117997684587308264",
		 "<T as serde_core::de::Expected>::fmt"},
		{"_ZN5alloc7raw_vec20RawVecInner$LT$A$GT$7reserve17h56450183ae5a6cbaE",
		 "alloc::raw_vec::RawVecInner<A>::reserve"},
		{"_ZN1a7$u5b$T$6to_vec17h56450183ae5a6cbaE", "a::[T$::to_vec"},
		/* A hash of the wrong length is a name. */
		{"_ZN1a15h56450183ae5a6cE", "a::h56450183ae5a6c"},
	};

	CHECK(names);
}

static void test_other_names_stay(void **state)
{
	static const struct name names[] = {
		{"uv__io_poll", "uv__io_poll"},
		{"Builtins_JSEntry", "Builtins_JSEntry"},
		{"foo.cold", "foo.cold"},
		{"", ""},
		{"i", "i"},
		{"_Z", "_Z"},
		{"_ZN", "_ZN"},
		{"_Zebra", "_Zebra"},
		{"_ZN2v88internal", "_ZN2v88internal"},
		{"_Z99999999999999999999f", "_Z99999999999999999999f"},
	};

	CHECK(names);
}

static void test_long_names_are_cut(void **state)
{
	char buf[8];

	assert_string_equal(nd_elf_demangle("uv__io_poll", buf, sizeof(buf)), "uv__io_");
	assert_string_equal(nd_elf_demangle("_ZN4node5startEv", buf, sizeof(buf)), "node::s");
	assert_string_equal(nd_elf_demangle("_Zv", buf, 1), "");
	buf[0] = 'x';
	nd_elf_demangle("abc", buf, 0);
	assert_int_equal(buf[0], 'x');
}

/* Each argument's type holds the one before twice: 2^30 of them in 400 bytes. */
static void test_exploding_names_stay(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[512] = "_Z1f1AIiiE", before[8] = "S0_", buf[1024];
	size_t len = strlen(name);
	int i;

	for (i = 1; i <= 30; i++) {
		len += (size_t)snprintf(name + len, sizeof(name) - len, "S_I%s%sE", before, before);
		snprintf(before, sizeof(before), "S%c_", digits[i]);
	}
	assert_string_equal(nd_elf_demangle(name, buf, sizeof(buf)), name);
}

/* Pointers to pointers: f(int***...), valid but for the length, and deeper than demanglers go. */
static void test_huge_names_stay(void **state)
{
	static char buf[ND_ELF_NAME_MAX + 8];
	struct nd_buf name;

	nd_buf_init(&name, sizeof(buf));
	nd_buf_add_str(&name, "_Z1f");
	while (name.len < ND_ELF_NAME_MAX)
		nd_buf_add_char(&name, 'P');
	nd_buf_add_char(&name, 'i');
	assert_string_equal(nd_elf_demangle(name.data, buf, sizeof(buf)), name.data);
	name.data[ND_ELF_NAME_MAX] = '\0';
	name.data[ND_ELF_NAME_MAX - 1] = 'i';
	assert_string_equal(nd_elf_demangle(name.data, buf, sizeof(buf)), name.data);
	nd_buf_fini(&name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments_and_return_types_go),
		cmocka_unit_test(test_operators_keep_their_sign),
		cmocka_unit_test(test_local_functions_keep_their_parents),
		cmocka_unit_test(test_rust_names_lose_their_hash),
		cmocka_unit_test(test_other_names_stay),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_exploding_names_stay),
		cmocka_unit_test(test_huge_names_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
